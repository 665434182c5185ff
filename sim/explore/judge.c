#include "sim/explore/judge.h"

static const struct judge_finding nothing = {.broken = PROPERTY_COUNT};

// Same index and term: same log up to there.
static bool logs_match(const struct book_node *one, const struct book_node *other)
{
    uint32_t common =
        one->last_index < other->last_index ? one->last_index : other->last_index;

    for (uint32_t index = 1; index <= common; index++)
        if (one->terms[index] == other->terms[index] &&
            one->chains[index] != other->chains[index])
            return false;
    return true;
}

// What is committed now is on the disks of a majority, by the configuration before or
// after: where the move has logged one, either may have decided.
static bool is_durable(const struct model *model, const struct global *global,
                       const struct book_node *before, const struct book_node *node)
{
    uint32_t index = node->commit_index;
    uint32_t hold = 0;

    for (uint32_t i = 0; i < model->config.node_count; i++) {
        const struct book_node *other = &model->looks[global->nodes[i]];

        if (other->disk_index >= index &&
            other->disk_chains[index] == node->chains[index])
            hold |= 1u << other->id;
    }
    return electorate_is_quorum(&node->electorate, hold) ||
           (before->configured && electorate_is_quorum(&before->electorate, hold));
}

static struct judge_finding look_at_commit(const struct model *model,
                                           const struct global *global,
                                           const struct book_node *before,
                                           const struct book_node *node)
{
    uint32_t index = node->commit_index;

    for (uint32_t i = 0; i < model->config.node_count; i++) {
        const struct book_node *other = &model->looks[global->nodes[i]];

        if (other->role == RAFT_LEADER && other->term > node->term &&
            (other->last_index < index || other->chains[index] != node->chains[index]))
            return (struct judge_finding){PROPERTY_LEADER_COMPLETENESS, other->id,
                                          node->id};
    }
    if (!is_durable(model, global, before, node))
        return (struct judge_finding){PROPERTY_COMMIT_DURABLE, node->id, 0};
    return nothing;
}

struct judge_finding judge_look(const struct model *model, const struct global *global,
                                raft_id id, const struct model_move *move,
                                uint32_t before, uint32_t book_before)
{
    const struct book_node *node = &model->looks[move->node];

    if ((move->flags & MODEL_LOGS) != 0)
        for (uint32_t i = 0; i < model->config.node_count; i++)
            if (!logs_match(node, &model->looks[global->nodes[i]]))
                return (struct judge_finding){PROPERTY_LOG_MATCHING, id, i + 1};
    if ((move->flags & MODEL_TELLS) != 0 &&
        node->commit_index > model->pages[book_before].committed)
        return look_at_commit(model, global, &model->looks[before], node);
    return nothing;
}
