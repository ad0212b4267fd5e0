package wire

import (
	"errors"
	"fmt"
	"testing"
)

func TestRefused(t *testing.T) {
	err := fmt.Errorf("opening a stream: %w", &Refused{Code: CodeDenied, Text: "not here"})
	if !errors.Is(err, &Refused{Code: CodeDenied}) || errors.Is(err, &Refused{Code: CodeRefused}) || errors.Is(err, ErrMalformed) {
		t.Errorf("errors.Is does not go by the code of %v", err)
	}
	if got, want := err.Error(), "opening a stream: denied by policy: not here"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got, want := (&Refused{Code: CodeBusy}).Error(), "too busy"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got, want := Code(60000).String(), "code 60000"; got != want {
		t.Errorf("an unknown code is %q, want %q", got, want)
	}
	for c := CodeRefused; c <= CodeBadRequest; c++ {
		if codeText[c] == "" {
			t.Errorf("code %d has no text", c)
		}
	}
}
