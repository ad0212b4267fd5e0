package web

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
)

// upload sends a file as the page does.
func (s *site) upload(to chat.Talk, name string, b []byte, piece int) chat.MessageID {
	s.t.Helper()
	var up struct {
		ID     string
		Offset int
	}
	s.ask("POST", "/api/upload", map[string]any{"talk": to, "name": name, "size": len(b)}, &up)
	for up.Offset < len(b) {
		part := b[up.Offset:min(len(b), up.Offset+piece)]
		resp, text := s.do(s.request("PUT", fmt.Sprintf("/api/upload/%s?offset=%d", up.ID, up.Offset), bytes.NewReader(part)))
		if resp.StatusCode != http.StatusOK {
			s.t.Fatalf("at %d: %d %s", up.Offset, resp.StatusCode, text)
		}
		s.ask("GET", "/api/upload/"+up.ID, nil, &up)
	}
	var got struct{ ID chat.MessageID }
	s.ask("POST", "/api/upload/"+up.ID, nil, &got)
	return got.ID
}

func (s *site) fileOf(id chat.MessageID, query string, change ...func(*http.Request)) (*http.Response, string) {
	return s.do(s.request("GET", "/api/file/"+s.e.Self().Owner.String()+"/"+id.String()+query, nil, change...))
}

func TestFile(t *testing.T) {
	s := open(t)
	ben := s.contact("Ben")
	b := bytes.Repeat([]byte("0123456789abcdef"), 9000) // three chunks
	id := s.upload(ben, "notes.txt", b, 50_000)
	resp, text := s.fileOf(id, "")
	if resp.StatusCode != http.StatusOK || text != string(b) || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%s, %d bytes, %v", resp.Status, len(text), resp.Header)
	}
	if resp, text := s.fileOf(id, "", header("Range", "bytes=49150-49170")); resp.StatusCode != http.StatusPartialContent || text != string(b[49150:49171]) {
		t.Errorf("%s %q", resp.Status, text)
	}
	if resp, _ := s.fileOf(id, "", header("Range", "bytes=999999-")); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("%s", resp.Status)
	}
	var p struct {
		Have int
		Done bool
	}
	s.ask("GET", "/api/progress?from="+s.e.Self().Owner.String()+"&id="+id.String(), nil, &p)
	if p.Have != len(b) || !p.Done {
		t.Errorf("%+v", p)
	}
	empty := s.upload(ben, "empty", nil, 1)
	if resp, text := s.fileOf(empty, ""); resp.StatusCode != http.StatusOK || text != "" {
		t.Errorf("an empty file: %s %q", resp.Status, text)
	}
}

// TestHostileFiles: nothing but a picture is answered as what a browser would run or show.
func TestHostileFiles(t *testing.T) {
	s := open(t)
	ben := s.contact("Ben")
	for name, content := range map[string]string{
		"a.html": "<script>alert(1)</script>", "a.svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "a.png": "<html><script>alert(1)</script>",
		"b.png": "\x89PNG\r\n\x1a\n<script>", "a.js": "alert(1)", "a.pdf": "%PDF-1.4", "a.xml": "<?xml version='1.0'?><x/>", "x": "\xff\xd8\xff<script>",
		"gif89a.gif": "GIF89a<script>alert(1)</script>", "a.webp": "RIFF\x00\x00\x00\x00WEBPVP8 <script>alert(1)</script>",
	} {
		id := s.upload(ben, name, []byte(content), 1000)
		resp, _ := s.fileOf(id, "")
		how, _, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
		if err != nil || how != "attachment" || resp.Header.Get("Content-Type") != "application/octet-stream" {
			// "GIF89a<script>" has a size, and is shown as a broken GIF: no harm is in that
			if resp.Header.Get("Content-Type") != "image/gif" {
				t.Errorf("%s: %v", name, resp.Header)
			}
		}
		if p := resp.Header.Get("Content-Security-Policy"); p != "default-src 'none'; sandbox" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", name, resp.Header)
		}
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{
		"a b.txt":              "a b.txt",
		"\u202egpj.exe":        "_gpj.exe",
		"a\r\nSet-Cookie: x=y": "a__Set-Cookie: x=y",
		`a"b\c/d`:              "a_b_c_d",
		"gr\u00fc\u00dfe.png":  "gr\u00fc\u00dfe.png",
		"":                     "",
	} {
		how, params, err := mime.ParseMediaType(disposition("attachment", name))
		if err != nil || how != "attachment" || params["filename"] != want {
			t.Errorf("%q: %q %q %v", name, how, params, err)
		}
	}
}

// pictures are small ones of 7 by 5.
func pictures(t testing.TB) map[string][]byte {
	img := image.NewGray(image.Rect(0, 0, 7, 5))
	list := map[string][]byte{}
	for kind, f := range map[string]func(io.Writer) error{
		"image/png":  func(w io.Writer) error { return png.Encode(w, img) },
		"image/jpeg": func(w io.Writer) error { return jpeg.Encode(w, img, nil) },
		"image/gif":  func(w io.Writer) error { return gif.Encode(w, img, nil) },
	} {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		list[kind] = b.Bytes()
	}
	return list
}

// webps are the heads of three kinds of WebP of that size.
func webps(w, h int) [][]byte {
	head := func(kind string) []byte { return append([]byte("RIFF\x20\x00\x00\x00WEBP"+kind), 10, 0, 0, 0) }
	lossy := binary.LittleEndian.AppendUint16(append(head("VP8 "), 0, 0, 0, 0x9d, 0x01, 0x2a), uint16(w))
	lossless := binary.LittleEndian.AppendUint32(append(head("VP8L"), 0x2f), uint32(w-1)|uint32(h-1)<<14)
	extended := append(head("VP8X"), 0, 0, 0, 0, byte(w-1), byte((w-1)>>8), byte((w-1)>>16), byte(h-1), byte((h-1)>>8), byte((h-1)>>16))
	return [][]byte{binary.LittleEndian.AppendUint16(lossy, uint16(h)), append(lossless, make([]byte, 5)...), extended}
}

func TestPictures(t *testing.T) {
	s := open(t)
	ben := s.contact("Ben")
	for kind, b := range pictures(t) {
		id := s.upload(ben, "x", b, 1000)
		resp, text := s.fileOf(id, "")
		if resp.Header.Get("Content-Type") != kind || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "inline") || text != string(b) {
			t.Errorf("%s: %v", kind, resp.Header)
		}
		if resp, _ := s.fileOf(id, "?save=1"); resp.Header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s to be saved: %v", kind, resp.Header)
		}
	}
	for i, b := range webps(7, 5) {
		if kind, size, err := look(b); kind != "image/webp" || size.Width != 7 || size.Height != 5 || err != nil {
			t.Errorf("%d: %s %v %v", i, kind, size, err)
		}
	}
	for i, b := range webps(16000, 16000) {
		if kind := pictureType(bytes.NewReader(b)); kind != "" {
			t.Errorf("%d: a huge picture is %s", i, kind)
		}
	}
}

func FuzzPicture(f *testing.F) {
	for _, b := range pictures(f) {
		f.Add(b)
	}
	for _, b := range webps(300, 200) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := range min(len(b), 40) {
			pictureType(bytes.NewReader(b[:n]))
		}
		switch kind := pictureType(bytes.NewReader(b)); kind {
		case "", "image/png", "image/jpeg", "image/gif", "image/webp":
		default:
			t.Errorf("type %q", kind)
		}
	})
}

func TestUploadsThatAreNotRight(t *testing.T) {
	s := open(t)
	ben := s.contact("Ben")
	var up struct{ ID string }
	begin := func() { s.ask("POST", "/api/upload", map[string]any{"talk": ben, "name": "x", "size": 10}, &up) }
	begin()
	path := "/api/upload/" + up.ID
	for _, tt := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"from the middle", "PUT", path + "?offset=5", "01234", 409},
		{"no number", "PUT", path + "?offset=x", "01234", 400},
		{"not whole", "POST", path, "", 409},
		{"of nobody", "PUT", "/api/upload/x?offset=0", "01234", 404},
		{"the first part", "PUT", path + "?offset=0", "01234", 200},
		{"once more", "PUT", path + "?offset=0", "01234", 409},
		{"too much", "PUT", path + "?offset=5", "0123456789", 400},
		{"given up", "DELETE", path, "", 200},
		{"after that", "PUT", path + "?offset=5", "01234", 404},
	} {
		if code, text := s.status(tt.method, tt.path, tt.body); code != tt.want {
			t.Errorf("%s: %d %s", tt.name, code, text)
		}
	}
	for range maxUploads {
		begin()
	}
	if code, text := s.status("POST", "/api/upload", `{"talk":"`+ben.String()+`","name":"x","size":10}`); code != http.StatusBadRequest {
		t.Errorf("one too many: %d %s", code, text)
	}
	if code, text := s.status("POST", "/api/upload", fmt.Sprintf(`{"talk":"%s","name":"x","size":%d}`, ben, chat.MaxFile+1)); code != http.StatusBadRequest || !strings.Contains(text, "long") {
		t.Errorf("too long: %d %s", code, text)
	}
	var list []message
	if s.ask("GET", "/api/history?talk="+ben.String(), nil, &list); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestUploadToNobody: the error of the engine arrives with the piece.
func TestUploadToNobody(t *testing.T) {
	s := open(t)
	var up struct{ ID string }
	s.ask("POST", "/api/upload", map[string]any{"talk": chat.To(s.e.Self().Owner), "name": "x", "size": 1}, &up)
	if code, text := s.status("PUT", "/api/upload/"+up.ID+"?offset=0", "x"); code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	if code, text := s.status("POST", "/api/upload/"+up.ID, ""); code != http.StatusBadRequest || !strings.Contains(text, "own key") {
		t.Errorf("%d %s", code, text)
	}
}

// TestUploadGivenUp: an upload that does not go on ends with the server at the latest.
func TestUploadGivenUp(t *testing.T) {
	u := newUploads(open(t).e)
	id, err := u.begin(chat.To(newKey(t).Public()), "x", 10)
	if err != nil {
		t.Fatal(err)
	}
	f, err := u.find(id)
	if err != nil {
		t.Fatal(err)
	}
	f.timer.Reset(time.Millisecond)
	select {
	case <-f.done:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits")
	}
	u.close()
	if _, err := u.begin(chat.Talk{}, "x", 1); err == nil {
		t.Error("an upload after the end")
	}
}
