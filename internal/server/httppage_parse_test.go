package server_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// chapter is what stands under a heading of the second level.
type chapter struct {
	name      string
	endpoints []string // that have a section, as "GET /auth/session"
	examples  []example
}

// example is a block of the language http: a request, and the answer from its line
// "HTTP 200" on. One that begins with an event's field is the rest of an answer.
type example struct {
	line    int    // of the page, counted from 1
	section string // the endpoint that it stands under, if any
	setting string // its comment, without "# "

	method, target string
	header         []field
	body           string
	answer         shown
}

// shown is what an example says that comes back.
type shown struct {
	status int // 0: the answer before goes on
	header []field
	body   string
}

type field struct{ name, value string }

var (
	chapterHeading = regexp.MustCompile("^## (.+)$")
	sectionHeading = regexp.MustCompile("^###+ (?:`([A-Z]+ /[^`]*)`)?")
	requestLine    = regexp.MustCompile(`^([A-Z]+) ([^ ]+)$`)
)

// readPage returns the chapters of a page.
func readPage(text string) (chapters []chapter, err error) {
	section := ""
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := chapterHeading.FindStringSubmatch(line); m != nil {
			chapters, section = append(chapters, chapter{name: m[1]}), ""
			continue
		}
		if len(chapters) == 0 {
			if strings.HasPrefix(line, "#") && i > 0 || strings.HasPrefix(line, "```") {
				return nil, fmt.Errorf("line %d: %q stands before the first chapter", i+1, line)
			}
			continue
		}
		c := &chapters[len(chapters)-1]
		switch m := sectionHeading.FindStringSubmatch(line); {
		case m != nil:
			if section = m[1]; section != "" {
				c.endpoints = append(c.endpoints, section)
			}
		case strings.HasPrefix(line, "```"):
			end := i + 1
			for end < len(lines) && lines[end] != "```" {
				end++
			}
			if end == len(lines) {
				return nil, fmt.Errorf("line %d: the block does not end", i+1)
			}
			if line == "```http" {
				e, err := readExample(lines[i+1 : end])
				if err != nil {
					return nil, fmt.Errorf("line %d: %w", i+1, err)
				}
				e.line, e.section = i+1, section
				if e.method == "" && len(c.examples) > 0 {
					e.setting = c.examples[len(c.examples)-1].setting
				}
				c.examples = append(c.examples, e)
			} else if line != "```js" && line != "```sh" {
				return nil, fmt.Errorf("line %d: no block begins with %q", i+1, line)
			}
			i = end
		}
	}
	return chapters, nil
}

// readExample reads the lines of one block.
func readExample(lines []string) (e example, err error) {
	if strings.HasPrefix(lines[0], "# ") {
		e.setting, lines = lines[0][2:], lines[1:]
		if !strings.HasPrefix(e.setting, "with ") && e.setting != withoutStore {
			return e, fmt.Errorf("nothing knows what %q means", "# "+e.setting)
		}
	}
	m := requestLine.FindStringSubmatch(lines[0])
	if m == nil {
		e.answer.body = strings.Join(lines, "\n")
		return e, nil
	}
	e.method, e.target = m[1], m[2]
	at := 1
	for at < len(lines) && !strings.HasPrefix(lines[at], "HTTP ") {
		at++
	}
	if at == len(lines) {
		return e, fmt.Errorf("no answer: no line begins with HTTP")
	}
	if e.header, e.body, err = readMessage(lines[1:at]); err != nil {
		return e, err
	}
	if e.answer.status, err = strconv.Atoi(lines[at][len("HTTP "):]); err != nil {
		return e, fmt.Errorf("the status of %q is no number", lines[at])
	}
	e.answer.header, e.answer.body, err = readMessage(lines[at+1:])
	return e, err
}

// readMessage reads header lines up to an empty one, and the body behind it.
func readMessage(lines []string) (header []field, body string, err error) {
	for i, line := range lines {
		if line == "" {
			return header, strings.TrimSpace(strings.Join(lines[i:], "\n")), nil
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, "", fmt.Errorf("%q is no header line", line)
		}
		header = append(header, field{name, value})
	}
	return header, "", nil
}
