package web

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
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
	case len(head) >= 30 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		size, err = webp(head)
		return "image/webp", size, err
	}
	return "", size, image.ErrFormat
}

// webp reads the size from the first chunk of a WebP: RFC 9649 sections 2.5 to 2.7 and 3.4; RFC 6386 section 9.1. b has 30 bytes at least.
func webp(b []byte) (c image.Config, err error) {
	u24 := func(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
	switch string(b[12:16]) {
	case "VP8 ":
		if b[23] != 0x9d || b[24] != 0x01 || b[25] != 0x2a {
			return c, image.ErrFormat
		}
		c.Width = int(binary.LittleEndian.Uint16(b[26:]) & 0x3fff)
		c.Height = int(binary.LittleEndian.Uint16(b[28:]) & 0x3fff)
	case "VP8L":
		if b[20] != 0x2f {
			return c, image.ErrFormat
		}
		bits := binary.LittleEndian.Uint32(b[21:])
		c.Width, c.Height = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
	case "VP8X":
		c.Width, c.Height = u24(b[24:])+1, u24(b[27:])+1
	default:
		return c, image.ErrFormat
	}
	return c, nil
}
