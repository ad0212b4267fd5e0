package web

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// MaxPixels bounds a picture that is shown: a small file can be a picture that fills the memory.
const MaxPixels = 50_000_000

// headLen is how much of a file is read to see what it is, in bytes; a JPEG's size may stand behind long comments.
const headLen = 256 << 10

// pictureType is the type of a picture that may be shown, by what the file holds; "" for all else.
func pictureType(r io.Reader) string {
	head, err := io.ReadAll(io.LimitReader(r, headLen))
	if err != nil {
		return ""
	}
	kind, size, err := look(head)
	if err != nil || size.Width <= 0 || size.Height <= 0 || size.Width > MaxPixels/size.Height {
		return ""
	}
	return kind
}

// look reads what a picture's first bytes say.
func look(head []byte) (kind string, size image.Config, err error) {
	switch {
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		size, err = png.DecodeConfig(bytes.NewReader(head))
		return "image/png", size, err
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		size, err = jpeg.DecodeConfig(bytes.NewReader(head))
		return "image/jpeg", size, err
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		size, err = gif.DecodeConfig(bytes.NewReader(head))
		return "image/gif", size, err
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		size, err = webp.DecodeConfig(bytes.NewReader(head))
		return "image/webp", size, err
	}
	return "", size, image.ErrFormat
}
