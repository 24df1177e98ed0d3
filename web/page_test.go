package web

import (
	"bytes"
	"errors"
	"html"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func render(t *testing.T, p Page) string {
	t.Helper()
	b, err := p.Render()
	if err != nil {
		t.Fatalf("Render: %v", err)
	}
	return string(b)
}

func TestRender(t *testing.T) {
	t.Run("escapes_every_text", func(t *testing.T) {
		const evil = `"'><script>alert(1)</script><!--`
		out := render(t, Page{
			Lang: evil, Title: evil, Heading: evil, Text: evil, Quote: evil, Hint: evil, Code: evil, RequestID: evil,
			Action:    &Action{Label: evil, Href: "/auth/logout", Post: true, Fields: []Field{{evil, evil}}},
			Secondary: &Action{Label: evil, Href: "/"},
		})
		if strings.Contains(out, "<script") || strings.Contains(out, `"'>`) {
			t.Errorf("text became markup:\n%s", out)
		}
		if got := strings.Count(out, "alert(1)"); got != 12 {
			t.Errorf("the text stands %d times, want 12 (one for each place it was given)", got)
		}
	})
	t.Run("shows_only_what_is_set", func(t *testing.T) {
		out := render(t, Page{Heading: "Only this"})
		for _, unwanted := range []string{"<footer", "<form", "<a ", "http-equiv", `class="actions"`, `class="hint"`, "<blockquote"} {
			if strings.Contains(out, unwanted) {
				t.Errorf("an empty field left %q behind", unwanted)
			}
		}
		if !strings.Contains(out, "<title>Only this</title>") || !strings.Contains(out, `<html lang="en">`) {
			t.Errorf("title or language has no default:\n%s", out)
		}
	})
	t.Run("posts_hidden_fields_and_opens_in_the_top_window", func(t *testing.T) {
		out := render(t, Page{Heading: "h", Action: &Action{
			Label: "Go", Href: "/auth/logout?x=1&y=2", Post: true, Top: true, Fields: []Field{{"returnTo", "/a?b=c&d"}},
		}})
		for _, want := range []string{
			`<form method="post" action="/auth/logout?x=1&amp;y=2" target="_top">`,
			`<input type="hidden" name="returnTo" value="/a?b=c&amp;d">`,
		} {
			if !strings.Contains(out, want) {
				t.Errorf("page lacks %s:\n%s", want, out)
			}
		}
	})
	t.Run("holds_no_script_and_one_heading", func(t *testing.T) {
		out := render(t, Page{Heading: "h", Text: "t", Refresh: "/", Action: &Action{Label: "l", Href: "/"}})
		if regexp.MustCompile(`(?i)<script|\son[a-z]+=|\sstyle=|javascript:`).MatchString(out) {
			t.Errorf("page needs more than its policy allows:\n%s", out)
		}
		if n := strings.Count(out, "<h1>"); n != 1 {
			t.Errorf("page has %d h1, want 1", n)
		}
	})
}

func TestScript(t *testing.T) {
	out := render(t, Page{Heading: "h", Script: "/auth/sdk/0a/popup.js"})
	if n := strings.Count(out, "<script"); n != 1 || !strings.Contains(out, `<script type="module" src="/auth/sdk/0a/popup.js"></script>`) {
		t.Errorf("page has %d scripts:\n%s", n, out)
	}
	if want := CSP() + "; script-src 'self'"; ScriptCSP() != want {
		t.Errorf("ScriptCSP() = %q, want %q", ScriptCSP(), want)
	}
	for _, address := range []string{"popup.js", "//evil.example/x.js", "data:text/javascript,x", "javascript:x"} {
		if out, err := (Page{Heading: "h", Script: address}).Render(); !errors.Is(err, ErrUnsafeAddress) || out != nil {
			t.Errorf("script %q: got %d bytes and error %v, want ErrUnsafeAddress", address, len(out), err)
		}
	}
}

func TestModules(t *testing.T) {
	names, err := fs.Glob(Modules, "*.js")
	if err != nil || !slices.Contains(names, "index.js") || !slices.Contains(names, "served.js") || !slices.Contains(names, "popup.js") {
		t.Fatalf("%q, %v", names, err)
	}
	imported := regexp.MustCompile(`(?m)(?:^import|^export|\bfrom|\bimport\() ?'([^']+)'`)
	for _, name := range names {
		text, err := fs.ReadFile(Modules, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range imported.FindAllSubmatch(text, -1) {
			file, local := strings.CutPrefix(string(m[1]), "./")
			if name == "react.js" && file == "react" {
				continue // which the page brings, by an import map
			}
			if !local || !slices.Contains(names, file) {
				t.Errorf("%s imports %s, which is not served", name, m[1])
			}
		}
	}
}

func TestRefresh(t *testing.T) {
	content := regexp.MustCompile(`http-equiv="refresh" content="([^"]*)"`)
	for _, address := range []string{
		"/", "/app?a=1&b=2#x", "/semi;v=1,2", "/a%20b%22c", "/auth/login?return_to=%2Fapp%3Fx%3D1", "/ünïcode",
		"https://app.example.com/x?y=z", "http://localhost:5173/", "http://127.0.0.1:8080/a", "http://[::1]:80/",
	} {
		t.Run("leads_to_"+address, func(t *testing.T) {
			out := render(t, Page{Heading: "h", Refresh: address})
			m := content.FindStringSubmatch(out)
			if m == nil {
				t.Fatalf("page has no refresh:\n%s", out)
			}
			got, ok := strings.CutPrefix(html.UnescapeString(m[1]), "0;url=")
			if !ok {
				t.Fatalf("refresh is %q, want it to start with 0;url=", m[1])
			}
			if strings.ReplaceAll(got, "%c3%bcn%c3%afcode", "ünïcode") != address {
				t.Errorf("refresh leads to %q, want %q", got, address)
			}
			if !strings.Contains(out, ">Continue</a>") {
				t.Error("page has no visible link")
			}
		})
	}
}

func TestQuotesInAnAddressAreEscaped(t *testing.T) {
	action := &Action{Label: "l", Href: `/a'b"c<d>e` + "`f"}
	out := render(t, Page{Heading: "h", Refresh: action.Href, Action: action})
	if n := strings.Count(out, "/a%27b%22c%3Cd%3Ee%60f"); n != 3 {
		t.Errorf("the escaped address stands %d times, want 3 (refresh, its link, action):\n%s", n, out)
	}
	if action.Href != `/a'b"c<d>e`+"`f" {
		t.Errorf("Render changed its caller's action to %q", action.Href)
	}
}

func TestAddressesThatBrowsersWriteAreTaken(t *testing.T) {
	for address, want := range map[string]string{
		`/a?b\c#d\e`:                   "0;url=/a?b%5Cc#d%5Ce",
		"/a/[id]|b?x=100%":             "0;url=/a/[id]|b?x=100%",
		"https://app.example/100%?x=%": "0;url=https://app.example/100%?x=%",
	} {
		if out := html.UnescapeString(render(t, Page{Heading: "h", Refresh: address})); !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

func TestUnsafeAddressIsRefused(t *testing.T) {
	for _, address := range []string{
		"", "app", "?x", "//evil.example", `/\evil.example`, `\\evil.example`, "http://app.example.com/",
		"javascript:alert(1)", "data:text/html,x", "https:", "https:///x", "https://user:pw@example.com/",
		"/a\nb", "/a\r\nSet-Cookie: x", "/a\tb", "/a b", "/a\x00", "/a\x7f",
		"https://evil.example\\@app.example/", `https://app.example\x`, `https:\\app.example`, "https:app.example", "javascript:alert(1)//://app.example/",
		"http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "ftp://example.com/", "https://ex ample/",
	} {
		for name, page := range map[string]Page{
			"refresh":   {Heading: "h", Refresh: address},
			"action":    {Heading: "h", Action: &Action{Label: "l", Href: address}},
			"form":      {Heading: "h", Action: &Action{Label: "l", Href: address, Post: true}},
			"secondary": {Heading: "h", Secondary: &Action{Label: "l", Href: address}},
		} {
			if name == "refresh" && address == "" {
				continue // no refresh asked for
			}
			if out, err := page.Render(); !errors.Is(err, ErrUnsafeAddress) || out != nil {
				t.Errorf("%s to %q: got %d bytes and error %v, want ErrUnsafeAddress", name, address, len(out), err)
			}
		}
	}
}

func TestCSP(t *testing.T) {
	t.Run("allows_the_stylesheet_a_page_carries", func(t *testing.T) {
		m := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(render(t, Page{Heading: "h", Refresh: "/"}))
		if m == nil {
			t.Fatal("page has no stylesheet")
		}
		if want := "style-src '" + hashSource(m[1]) + "'"; !strings.Contains(CSP(), want) {
			t.Errorf("CSP() = %q, want it to hold %q: the template changed the stylesheet", CSP(), want)
		}
	})
	t.Run("allows_nothing_else_and_no_frame", func(t *testing.T) {
		for _, want := range []string{"default-src 'none'", "form-action 'self';", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(CSP(), want) {
				t.Errorf("CSP() = %q lacks %q", CSP(), want)
			}
		}
		if strings.Contains(CSP(), "unsafe") || strings.Contains(CSP(), "script-src") {
			t.Errorf("CSP() = %q allows scripts or inline code", CSP())
		}
	})
	t.Run("takes_origins_for_forms_and_drops_what_is_none", func(t *testing.T) {
		got := CSP("https://login.example.com", "https://x; script-src *", "")
		if !strings.Contains(got, "form-action 'self' https://login.example.com; frame-ancestors") {
			t.Errorf("CSP = %q, want the one origin in form-action", got)
		}
	})
	t.Run("lets_the_own_origin_frame_the_401_only", func(t *testing.T) {
		if !strings.Contains(FramedCSP(), "frame-ancestors 'self'") {
			t.Errorf("FramedCSP() = %q", FramedCSP())
		}
	})
}

func TestDemo(t *testing.T) {
	t.Run("has_its_files", func(t *testing.T) {
		for _, name := range []string{"index.html", "demo.js", "demo.css", "mark.svg", "views/overview.js"} {
			if info, err := fs.Stat(Demo, name); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("fits_its_policy", func(t *testing.T) {
		b, err := fs.ReadFile(Demo, "index.html")
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(b, []byte("http://www.w3.org/2000/svg"), nil) // a namespace's name, not an address
		if m := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:\s+type="module")?>|https?://`).Find(b); m != nil {
			t.Errorf("index.html holds %q, which its policy forbids", m)
		}
	})
}

// The emulator imports nothing of ours, and has its own copy of the mark.
func TestMark_is_one_on_all_pages(t *testing.T) {
	read := func(file string) string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	icon := read("demo/mark.svg")
	if read("../internal/cognitoemu/pages/icon.svg") != icon {
		t.Error("the emulator's icon is another than demo/mark.svg")
	}
	mark := regexp.MustCompile(` d="([^"]+)"`).FindStringSubmatch(icon)
	if mark == nil {
		t.Fatalf("demo/mark.svg draws nothing: %s", icon)
	}
	// page.html has it as its icon, too: a page of the gateway makes no other request.
	for file, times := range map[string]int{"page.html": 2, "demo/index.html": 1, "../internal/cognitoemu/pages/frame.html": 1} {
		if n := strings.Count(read(file), mark[1]); n != times {
			t.Errorf("%s has the mark %d times, want %d", file, n, times)
		}
	}
}
