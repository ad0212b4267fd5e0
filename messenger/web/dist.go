package web

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// dist is the page as page/ builds it.
//
//go:embed dist
var dist embed.FS

// types are those of the page's files; there are no others.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
}

// page answers with a file of the page.
func page(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	b, err := fs.ReadFile(dist, path.Join("dist", name))
	kind, ok := types[path.Ext(name)]
	if err != nil || !ok || !fs.ValidPath(name) {
		fail(w, http.StatusNotFound, "no such page")
		return
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	if name != "index.html" { // named by their contents
		h.Set("Cache-Control", "private, max-age=86400, immutable")
	}
	_, _ = w.Write(b) // the browser went
}
