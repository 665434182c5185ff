// main.c: raftsim's first word names what to do.
#include <stdlib.h>
#include <string.h>

#include "raft/version.h"
#include "sim/tool/crash.h"
#include "sim/tool/tool.h"
#include "sim/tool/tool_wire.h"

struct command {
    const char *name;
    int (*run)(char **arguments);
    const char *usage; // lines of text
};

static const struct command commands[] = {
    {"run", tool_run,
     "  raftsim run [FLAGS]      a seeded run; ends in one line of JSON\n"
     "    --seed N               the run's name: the same seed, the same run (1)\n"
     "    --nodes K              1 to 15 (5)\n"
     "    --duration D           virtual time under load: 500ms, 60s, 5m, 1h (60s)\n"
     "    --faults LIST          all, none, or a list of "
     "partition,oneway,partial,flap,\n"
     "                           swizzle,loss,duplicate,delay,reorder,link,crash,\n"
     "                           inside,pause,slow,disk,damage,clock,members,transfer,"
     "\n"
     "                           snapshot,settings,corrupt (none)\n"
     "    --mix MIX              swarm: each seed has its own kinds and intensities;\n"
     "                           fixed: all of them alike (swarm)\n"
     "    --end END              core: first a majority has to do without the rest;\n"
     "                           rest: all is healed at once (a quarter: core)\n"
     "    --spares K             nodes that may be added (4 with members, else 0)\n"
     "    --lease P, --drift P   reads by leases that allow for clocks P percent "
     "apart,\n"
     "                           and clocks that are (drawn, so that it goes well)\n"
     "    --disk perfect         a write is durable in the step that gives it out\n"
     "    --retries off          clients send nothing twice, and have no sessions\n"
     "    --clients C            clients that work all the time (2 to 8; 5)\n"
     "    --keys K               keys that they share (1 to 8; 6)\n"
     "    --judge-steps N        at most so much work on the clients' history\n"
     "    --checkers off         to measure what they cost: such a run is never ok\n"
     "    --checkers own         the invariants of sim/own/own.c instead (lab 8)\n"
     "    --wire json            messages pass as bytes, through the codec of real "
     "nodes\n"
     "    --trace FILE           one line for each step of each node\n"
     "    --ndjson FILE          the same for the TLA+ trace specification of "
     "etcd-io/raft\n"
     "    --history FILE         what the clients saw\n"
     "    --check                runs twice, and names the first event that differs\n"},
    {"sweep", tool_sweep,
     "  raftsim sweep [FLAGS]    many seeds; takes the flags of run, and\n"
     "    --seeds A..B           (1..1000)\n"
     "    --jobs J               workers (one for each core)\n"
     "    --stop-after N         ends at the N-th failure\n"
     "    --seconds S            ends after so much real time\n"
     "    --seed-seconds S       a run that takes more of the processor is endless (60)\n"
     "    --out FILE             one line of JSON for each run\n"
     "                           (faults are all, the duration 20s, unless given)\n"},
    {"replay", tool_replay,
     "  raftsim replay TRACE     runs it anew, and says where it is not as recorded\n"
     "  raftsim replay FLAGS     the same from the flags of a run\n"
     "    --until EVENT          stops there, and takes commands\n"
     "    --print                stops there, and prints the nodes' state\n"},
    {"shrink", tool_shrink,
     "  raftsim shrink FLAGS     a run that fails, shrunk to a short scenario\n"
     "    --out FILE             where it is written (shrunk-SEED.scenario)\n"
     "    --seconds S            at most so long (60)\n"
     "    --cpu MS               a candidate that takes longer never ends (1000)\n"},
    {"repl", tool_repl,
     "  raftsim repl             commands, one a line; answers, one line of JSON "
     "each\n"},
    {"script", tool_script,
     "  raftsim script FILE...   runs scenario files; stops at the first failed "
     "claim\n"},
    {"experiment", tool_experiment,
     "  raftsim experiment NAME  measures, and plots where matplotlib is (no NAME: "
     "lists)\n"
     "    --trials N, --seed S   of each setting (the experiment's own), and 1\n"
     "    --out DIR              where NAME.csv, .json and .png go (.)\n"
     "    --plot no              no .png\n"},
    {"linearize", tool_linearize,
     "  raftsim linearize FILE [--format json|jepsen|edn] [--steps N]\n"
     "                           judges a history\n"},
    {"history", tool_history,
     "  raftsim history FILE --to json|jepsen|edn [--format F]\n"
     "                           writes it in another form\n"
     "    --failed-cas saw|never for both: what :fail says of a cas\n"},
    {"explore", tool_explore,
     "  raftsim explore [FLAGS]  everything that can happen to the core within bounds\n"
     "    --nodes K, --spares K  members of the first start (3), and others (0)\n"
     "    --terms N              (1)\n"
     "    --entries N, --crashes N, --losses N, --duplicates N, --heartbeats N,\n"
     "    --changes N            how many there may be (0); duplicates may be any\n"
     "    --timeouts N           of nodes that do not lead (any)\n"
     "    --batch N              entries in a message (8)\n"
     "    --sync-by-hand         a sync takes time\n"
     "    --pre-vote             (with a bound on --timeouts)\n"
     "    --from FILE|-          begins where these commands lead to\n"
     "    --goal CLAIM           first to the nearest states with leader [N], term T "
     "or\n"
     "                           committed INDEX; several, one after another\n"
     "    --outcomes             judges what came of it alone, not the rules of how\n"
     "    --no-symmetry, --no-reduction\n"
     "                           to count what they save; only so are losses counted\n"
     "    --depth N, --states N, --seconds S\n"
     "                           ends there\n"
     "    --jobs 1|2             threads (1); finds the same\n"
     "    --out FILE             where the scenario of a violation goes (stderr)\n"},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void help(void)
{
    puts("raftsim: a Raft cluster on a virtual clock, with every kind of fault.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fputs(commands[i].usage, stdout);
    puts("  raftsim --help, --version\n\n"
         "Exit code 0: all is well; 1: a violation, a failed claim or an unknown "
         "verdict;\n"
         "2: something was asked for that cannot be done. docs/simulator.md tells "
         "more.");
}

// Whether help is asked for: first of all, or for one command.
static bool asks_help(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "help") == 0)
        return true;
    for (int i = 1; i < count && i < 3; i++)
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
            return true;
    return false;
}

int main(int count, char **arguments)
{
    const char *name = count > 1 ? arguments[1] : "";

    if (asks_help(count, arguments)) {
        help();
        return EXIT_SUCCESS;
    }
    if (strcmp(name, "--version") == 0) {
        puts("raftsim " RAFT_VERSION);
        return EXIT_SUCCESS;
    }
    crash_tell(arguments[0]);
    tool_wire_offer();
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(arguments + 2);
    if (*name == '\0')
        return tool_complain("say what to do (see --help)");
    return tool_complain("cannot do \"%.100s\" (see --help)", name);
}
