package signal

import (
	"bytes"
	"encoding/json"
	"strconv"
)

const (
	version   = "2.0"
	maxID     = 64 // bytes of a request id as JSON
	maxMethod = 64 // bytes of a method name
)

// message is any message of JSON-RPC 2.0. A request has Method and ID, a notification
// Method alone, an answer ID with Result or Error.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

// parseMessage reads one frame. Members it does not know are ignored, an id of null is
// none, params of null are none. A batch is not a message of this protocol.
func parseMessage(frame []byte) (*message, *Error) {
	var m message
	if err := json.Unmarshal(frame, &m); err != nil {
		return nil, Errorf(CodeParse, "not a JSON object of a message: %v", err)
	}
	if m.Version != version {
		return nil, Errorf(CodeRequest, `member "jsonrpc" must be "2.0"`)
	}
	m.ID, m.Params = notNull(m.ID), notNull(m.Params)
	if !validID(m.ID) {
		return nil, Errorf(CodeRequest, "id must be a number or a string of at most %d bytes", maxID)
	}
	if len(m.Method) > maxMethod {
		return nil, Errorf(CodeRequest, "method name longer than %d bytes", maxMethod)
	}
	if m.Method == "" && m.Result == nil && m.Error == nil {
		return nil, Errorf(CodeRequest, "neither method nor result nor error")
	}
	return &m, nil
}

// request encodes a request, or with id 0 a notification.
func request(id uint64, method string, params any) ([]byte, error) {
	m := message{Version: version, Method: method}
	if id != 0 {
		m.ID = strconv.AppendUint(nil, id, 10)
	}
	if params != nil {
		p, err := json.Marshal(params)
		if err != nil {
			return nil, err
		}
		m.Params = p
	}
	return encode(m)
}

// encode leaves <, > and & as they are, which json.Marshal would rewrite: a request gets its id back byte for byte.
func encode(m message) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// answer encodes the answer to the request id; one that does not encode or fit a frame
// becomes an error.
func answer(id json.RawMessage, result any, err error) []byte {
	m := message{Version: version, ID: id}
	if err == nil {
		m.Result, err = json.Marshal(result)
	}
	if err != nil {
		m.Result, m.Error = nil, wireError(err, CodeInternal)
	}
	frame, err := encode(m)
	switch {
	case err != nil: // of the error's data, which is a server's own
		return answer(id, nil, Errorf(CodeInternal, "answer does not encode"))
	case len(frame) > MaxFrame:
		return answer(id, nil, Errorf(CodeTooLarge, "answer of %d bytes, a frame holds %d", len(frame), MaxFrame))
	}
	return frame
}

// DecodeParams reads the parameters of a request into a pointer; the error is CodeParams.
// Members it does not know are ignored; parameters left out leave v as it is.
func DecodeParams(params json.RawMessage, v any) error {
	if len(params) == 0 {
		return nil
	}
	if err := json.Unmarshal(params, v); err != nil {
		return Errorf(CodeParams, "parameters: %v", err)
	}
	return nil
}

func notNull(raw json.RawMessage) json.RawMessage {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	return raw
}

func validID(id json.RawMessage) bool {
	if len(id) == 0 {
		return true
	}
	c := id[0]
	return len(id) <= maxID && (c == '"' || c == '-' || '0' <= c && c <= '9')
}
