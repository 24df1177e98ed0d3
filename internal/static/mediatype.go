package static

import (
	"mime"
	"path"
	"strings"
)

// webTypes are the types that a page needs to work. They do not come from the
// system's table, which may be missing, or say text/plain for scripts.
var webTypes = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".mjs":         "text/javascript; charset=utf-8",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".webmanifest": "application/manifest+json",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
}

// contentType goes by the name alone. If it guessed from the content, whoever can
// write a file could make it a page.
func contentType(name string) string {
	ext := extension(name)
	if t := webTypes[ext]; t != "" {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}

// extension is the lower-case extension of a name, with its dot.
func extension(name string) string { return strings.ToLower(path.Ext(name)) }

// assetTypes are the extensions that no page of an application is taken to have:
// what a bundler makes or copies. docs/configuration.md lists them.
var assetTypes = set(
	".css", ".htm", ".html", ".js", ".json", ".map", ".mjs", ".wasm", ".webmanifest", ".xml", // code and data
	".apng", ".avif", ".bmp", ".cur", ".gif", ".ico", ".jpeg", ".jpg", ".jxl", ".png", ".svg", ".webp", // images
	".aac", ".flac", ".m4a", ".mov", ".mp3", ".mp4", ".ogg", ".opus", ".vtt", ".wav", ".webm", // sound and film
	".eot", ".otf", ".ttf", ".woff", ".woff2", // fonts
	".pdf", ".txt", // documents
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}
