package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// page is the document that the sections are written into, each between markers of its
// own. What stands outside the markers is somebody's text and stays.
type page struct{ file string }

// openPage fails if the page lacks a marker that will be needed.
func openPage(file string, wanted []part) (page, error) {
	p := page{file}
	if file == "" {
		return p, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	for _, part := range wanted {
		if _, err := replaceBlock(string(text), part.name, ""); err != nil {
			return p, fmt.Errorf("%s: %w", file, err)
		}
	}
	return p, nil
}

// put writes a part's section, and its plot beside the page.
func (p page) put(part part, s section) error {
	if p.file == "" {
		return nil
	}
	block := s.text
	if s.plot != nil {
		image := filepath.Join("images", "bench-"+part.name+".svg")
		if err := os.WriteFile(filepath.Join(filepath.Dir(p.file), image), []byte(s.plot.svg()), 0o644); err != nil {
			return err
		}
		block = fmt.Sprintf("![%s](%s)\n\n%s", s.plot.title+", "+s.plot.subtitle, filepath.ToSlash(image), block)
	}
	text, err := os.ReadFile(p.file)
	if err != nil {
		return err
	}
	changed, err := replaceBlock(string(text), part.name, block)
	if err != nil {
		return fmt.Errorf("%s: %w", p.file, err)
	}
	return os.WriteFile(p.file, []byte(changed), 0o644)
}

// replaceBlock puts a block between a part's markers.
func replaceBlock(text, name, block string) (string, error) {
	begin, end := "<!-- bench:"+name+" -->\n", "<!-- /bench:"+name+" -->\n"
	before, rest, ok := strings.Cut(text, begin)
	if !ok {
		return "", fmt.Errorf("put the lines %q and %q where the part belongs", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("put the line %q behind %q", strings.TrimSpace(end), strings.TrimSpace(begin))
	}
	return before + begin + "\n" + block + "\n" + end + after, nil
}
