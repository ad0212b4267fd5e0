package hostnet

// Verdict is one line of a leak test.
type Verdict struct {
	Name   string `json:"name"` // "tunnel", "route", "ipv6", "dns", "kill switch"
	Result Result `json:"result"`
	Text   string `json:"text"` // what was seen, in words
}

// Result is how a line of a leak test came out.
type Result string

// Results.
const (
	Pass Result = "pass"
	Fail Result = "fail"
	Off  Result = "off" // not asked for: nothing to test
)

// Failed tells whether one of the verdicts is a Fail.
func Failed(list []Verdict) bool {
	for _, v := range list {
		if v.Result == Fail {
			return true
		}
	}
	return false
}
