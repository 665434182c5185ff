// porcupine judges histories that raftsim wrote, with the checker of
// https://github.com/anishathalye/porcupine:
//
//	go mod init judge && go get github.com/anishathalye/porcupine@latest
//	go run . [-timeout 60s] FILE...
//
// It prints a verdict, the seconds and the name of each file. The form of a file is in
// docs/linearizability.md; every kind of operation is judged, transactions too. Exit
// code 0 says that all are linearizable.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/anishathalye/porcupine"
)

// A line of the file. A pointer or a Result that is nil was absent, or null.
type operation struct {
	Client   int             `json:"client"`
	Kind     string          `json:"kind"`
	Key      string          `json:"key"`
	Value    string          `json:"value"`
	Expected *string         `json:"expected"`
	By       int64           `json:"by"`
	Ops      []operation     `json:"ops"`
	Result   json.RawMessage `json:"result"`
	Outcome  string          `json:"outcome"`
	Call     int64           `json:"call"`
	Return   int64           `json:"return"`
	From     *int64          `json:"from"`
	To       *int64          `json:"to"`
	cell     int             // where the state of the key's group has it
}

type cell struct {
	present bool
	value   string
}

// What the keys of one group hold, by their place in it.
type state []cell

// ---- the model ---------------------------------------------------------------------

// An answer that was not told, or not given at all, agrees with everything.
func (op *operation) told(answer int64) bool {
	return op.Result == nil || string(op.Result) == strconv.FormatInt(answer, 10)
}

func (op *operation) read(now cell) bool {
	var seen *string
	if op.Result == nil {
		return true
	}
	if json.Unmarshal(op.Result, &seen) != nil {
		return false
	}
	return (seen != nil) == now.present && (seen == nil || *seen == now.value)
}

func count(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// What one copy of the key would hold after it, and whether it would have said that.
func (op *operation) apply(now cell) (bool, cell) {
	switch op.Kind {
	case "read":
		return op.read(now), now
	case "write":
		return true, cell{true, op.Value}
	case "cas":
		same := (op.Expected != nil) == now.present &&
			(op.Expected == nil || *op.Expected == now.value)
		if same {
			return op.told(1), cell{true, op.Value}
		}
		return op.told(0), now
	case "append":
		longer := now.value + op.Value
		// A byte is one character in the file, and no byte more than that.
		return op.told(int64(utf8.RuneCountInString(longer))), cell{true, longer}
	case "incr":
		number, err := strconv.ParseInt(now.value, 10, 64)
		if now.present && err != nil {
			return false, now
		}
		return op.told(number + op.By), cell{true, strconv.FormatInt(number+op.By, 10)}
	case "delete":
		return op.told(count(now.present)), cell{}
	}
	panic("no such kind: " + op.Kind)
}

func step(before, input, _ interface{}) (bool, interface{}) {
	op := input.(*operation)
	now := append(state(nil), before.(state)...)
	if op.Kind != "txn" {
		said, next := op.apply(now[op.cell])
		now[op.cell] = next
		return said, now
	}
	deleted := int64(0)
	for i := range op.Ops {
		part := &op.Ops[i]
		if part.Kind == "delete" {
			deleted += count(now[part.cell].present)
		}
		said, next := part.apply(now[part.cell])
		if !said {
			return false, before
		}
		now[part.cell] = next
	}
	return op.told(deleted), now
}

func equal(a, b interface{}) bool {
	left, right := a.(state), b.(state)
	for i := range left {
		if left[i] != right[i] {
			return false
		}
	}
	return true
}

// ---- groups of keys that transactions join -----------------------------------------

type groups struct {
	above map[string]string
	size  map[string]int
}

func (g *groups) top(key string) string {
	for g.above[key] != "" {
		key = g.above[key]
	}
	return key
}

func (op *operation) keys() []*operation {
	if op.Kind != "txn" {
		return []*operation{op}
	}
	var parts []*operation
	for i := range op.Ops {
		parts = append(parts, &op.Ops[i])
	}
	return parts
}

func group(history []*operation) *groups {
	g := &groups{map[string]string{}, map[string]int{}}
	for _, op := range history {
		first := g.top(op.keys()[0].Key)
		for _, part := range op.keys() {
			if top := g.top(part.Key); top != first {
				g.above[top] = first
			}
		}
	}
	places := map[string]int{}
	for _, op := range history {
		for _, part := range op.keys() {
			top := g.top(part.Key)
			place, known := places[part.Key]
			if !known {
				place = g.size[top]
				places[part.Key] = place
				g.size[top]++
			}
			part.cell = place
		}
	}
	return g
}

// ---- a file ------------------------------------------------------------------------

func load(name string) ([]*operation, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var history []*operation
	decoder := json.NewDecoder(bufio.NewReader(file))
	for decoder.More() {
		op := &operation{}
		if err := decoder.Decode(op); err != nil {
			return nil, err
		}
		// What was refused never happened, and an unanswered read shows nothing.
		if op.Outcome != "failed" && !(op.Outcome == "pending" && op.Kind == "read") {
			history = append(history, op)
		}
	}
	return history, nil
}

type moment struct {
	at    int64
	event porcupine.Event
}

// Calls and returns in their order. What has no answer returns after everything else.
func events(history []*operation) []porcupine.Event {
	var moments []moment
	var open []porcupine.Event
	for id, op := range history {
		called, returned := op.Call, op.Return
		if op.From != nil {
			called = *op.From
		}
		if op.To != nil {
			returned = *op.To
		}
		moments = append(moments,
			moment{called, porcupine.Event{Kind: porcupine.CallEvent, Value: op, Id: id}})
		end := porcupine.Event{Kind: porcupine.ReturnEvent, Value: op, Id: id}
		if op.Outcome == "pending" {
			open = append(open, end)
		} else {
			moments = append(moments, moment{returned, end})
		}
	}
	// At equal times calls are first, so that they count as concurrent.
	sort.SliceStable(moments, func(i, j int) bool {
		a, b := moments[i], moments[j]
		return a.at < b.at || a.at == b.at && a.event.Kind == porcupine.CallEvent &&
			b.event.Kind == porcupine.ReturnEvent
	})
	var all []porcupine.Event
	for _, m := range moments {
		all = append(all, m.event)
	}
	return append(all, open...)
}

// Each group alone, and the groups one after another. Illegal beats unknown.
func judge(history []*operation, timeout time.Duration) porcupine.CheckResult {
	g := group(history)
	parts := map[string][]porcupine.Event{}
	for _, event := range events(history) {
		top := g.top(event.Value.(*operation).keys()[0].Key)
		parts[top] = append(parts[top], event)
	}
	verdict := porcupine.CheckResult(porcupine.Ok)
	for top, part := range parts {
		size := g.size[top]
		model := porcupine.Model{
			Init:  func() interface{} { return make(state, size) },
			Step:  step,
			Equal: equal,
		}
		switch porcupine.CheckEventsTimeout(model, part, timeout) {
		case porcupine.Illegal:
			return porcupine.Illegal
		case porcupine.Unknown:
			verdict = porcupine.Unknown
		}
	}
	return verdict
}

func main() {
	timeout := flag.Duration("timeout", time.Minute, "for one group of keys")
	flag.Parse()
	text := map[porcupine.CheckResult]string{
		porcupine.Ok: "yes", porcupine.Illegal: "no", porcupine.Unknown: "unknown"}
	failed := false
	for _, name := range flag.Args() {
		history, err := load(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, name+":", err)
			os.Exit(2)
		}
		start := time.Now()
		verdict := judge(history, *timeout)
		fmt.Printf("%s\t%.3f\t%s\n", text[verdict], time.Since(start).Seconds(), name)
		failed = failed || verdict != porcupine.Ok
	}
	if failed {
		os.Exit(1)
	}
}
