package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	File  string // the file's path, or the variable's name where that set the value
	Line  int    // in File, from 1; 0 where there is none to name
	Key   string // "session.idle_timeout", "routes[1].path"; empty for a file that is no YAML
	Value string // as shown: quoted, or masked for a secret, or what stands there instead, such as "not set"
	Want  string // what would be accepted; empty where Value says what to do
}

// String is the fault on one line: gatehouse.yaml:12: session.idle_timeout: "30": want a duration such as 30m.
func (f Fault) String() string {
	var parts []string
	switch {
	case f.File != "" && f.Line > 0:
		parts = append(parts, f.File+":"+strconv.Itoa(f.Line))
	case f.File != "":
		parts = append(parts, f.File)
	}
	want := ""
	if f.Want != "" {
		want = "want " + f.Want
	}
	for _, p := range []string{f.Key, f.Value, want} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ": ")
}

// Faults is every fault of a configuration, the file's in the order of its
// lines, then the environment's. It is the error of [Load].
type Faults []Fault

// Error gives one line a fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// sort orders faults as an operator goes through them: down the file, then what
// the file lacks, then the variables.
func (fs Faults) sort(file string) {
	rank := func(f Fault) int {
		switch {
		case f.File != file:
			return 2
		case f.Line == 0:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(fs, func(a, b Fault) int {
		if c := cmp.Compare(rank(a), rank(b)); c != 0 {
			return c
		}
		if rank(a) == 2 && a.File != b.File {
			return cmp.Compare(a.File, b.File)
		}
		return cmp.Compare(a.Line, b.Line)
	})
}

// cure is an error that says what would have been accepted instead; it reads on
// after "want" and never repeats the value, which may be a secret.
type cure string

func (c cure) Error() string { return string(c) }

func curef(format string, args ...any) cure { return cure(fmt.Sprintf(format, args...)) }

// masked stands for every secret in every output.
const masked = "[secret]"

// shownRunes bounds how much of a value a fault repeats.
const shownRunes = 80

// show is a value as a fault repeats it: quoted, cut, and without what looks
// like the credentials of an address, whatever key it was given to.
func show(text string) string {
	text = maskUserinfo(text)
	if r := []rune(text); len(r) > shownRunes {
		text = string(r[:shownRunes]) + "…"
	}
	return strconv.Quote(text)
}

// maskUserinfo covers all between the scheme and the last "@", or, without one,
// what follows a colon where a port would: a password whose end was lost. It works
// on texts that are no address, too: those are the ones that end up in a fault.
func maskUserinfo(text string) string {
	scheme, _, found := strings.Cut(text, "://")
	at := strings.LastIndexByte(text, '@')
	switch {
	case at >= 0 && found && len(scheme) < at:
		return scheme + "://" + masked + text[at:]
	case at >= 0:
		return masked + text[at:]
	case found && lostPassword.MatchString(weightBehind.ReplaceAllString(ipv6.ReplaceAllString(text, ""), "")):
		return scheme + "://" + masked
	}
	return text
}

var (
	ipv6         = regexp.MustCompile(`\[[0-9A-Fa-f:.]*\]`)
	weightBehind = regexp.MustCompile(` weight=[-0-9.]*$`) // as upstreams have it
	lostPassword = regexp.MustCompile(`^[^:]*://[^/?#]*:[0-9]*[^0-9/?#,]`)
)
