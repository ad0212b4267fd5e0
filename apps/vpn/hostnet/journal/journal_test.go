package journal

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

type change struct {
	Name string `json:"name"`
}

func TestReadWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	if _, there, err := Read[change](dir); there || err != nil {
		t.Errorf("nothing: %v, %v", there, err)
	}
	j := Journal[change]{Boot: "b", Space: 7, Done: []change{{"one"}, {"two"}}}
	for range 2 {
		if err := Write(dir, j); err != nil {
			t.Fatal(err)
		}
	}
	got, there, err := Read[change](dir)
	if err != nil || !there || got.Boot != "b" || got.Space != 7 || !slices.Equal(got.Done, j.Done) {
		t.Errorf("%+v, %v, %v", got, there, err)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	j.Done = nil
	for range 2 {
		if err := Write(dir, j); err != nil {
			t.Error(err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
}

func TestJournalIsChecked(t *testing.T) {
	good, err := Journal[change]{Done: []change{{"one"}}}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(good) - 1 { // the last byte ends the line
		if _, err := Parse[change](good[:n]); err == nil {
			t.Errorf("%d bytes are taken", n)
		}
	}
	for _, text := range []string{`{"version":2}`, `{"version":1,"x":1}`, `{"version":1} {}`, `{"version":1,"done":[{"other":1}]}`} {
		if _, err := Parse[change]([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	if _, err := Parse[change](make([]byte, maxBytes+1)); err == nil {
		t.Error("too much is taken")
	}
}

func FuzzParse(f *testing.F) {
	seed, err := Journal[change]{Boot: "b", Space: 1, Done: []change{{"one"}}}.Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := Parse[change](b)
		if err != nil {
			return
		}
		again, err := j.Append(nil)
		if err != nil {
			return // what is escaped may be longer than what was read
		}
		if k, err := Parse[change](again); err != nil || !slices.Equal(j.Done, k.Done) || j.Boot != k.Boot {
			t.Fatalf("%q: %v", b, err)
		}
	})
}
