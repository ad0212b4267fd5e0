package metrics

import (
	"bytes"
	"strconv"
	"strings"
)

// text writes the Prometheus text format, version 0.0.4: families one after the other, all
// samples of a family together.
type text struct{ bytes.Buffer }

// The types of families.
const (
	counter = "counter"
	gauge   = "gauge"
)

// family begins one. help is one line.
func (t *text) family(name, kind, help string) {
	t.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// sample writes one value; labels are name and value in turn.
func (t *text) sample(name string, value float64, labels ...string) {
	t.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		t.WriteByte("{,"[min(i, 1)])
		t.WriteString(labels[i] + `="` + escape(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		t.WriteByte('}')
	}
	t.WriteByte(' ')
	t.WriteString(strconv.FormatFloat(value, 'g', -1, 64))
	t.WriteByte('\n')
}

// one is a family of one sample without labels.
func (t *text) one(name, kind, help string, value float64) {
	t.family(name, kind, help)
	t.sample(name, value)
}

// escape makes any text fit for a label's value, which is UTF-8.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(strings.ToValidUTF8(value, "\ufffd"))
}
