package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// loadByWrk measures with wrk. Its latencies are those it prints itself.
func loadByWrk(ctx context.Context, dir string, c call, connections int, duration time.Duration) (result, error) {
	args := []string{"-t1", "-c" + strconv.Itoa(connections), fmt.Sprintf("-d%ds", int(duration.Seconds())), "--latency"}
	if len(c.cookies) > 1 {
		script, err := turnScript(dir, c)
		if err != nil {
			return result{}, err
		}
		args = append(args, "-s", script)
	}
	for _, header := range c.lines() {
		args = append(args, "-H", header)
	}
	wrk, _ := program("wrk") // the flag is refused without
	out, err := exec.CommandContext(ctx, wrk, append(args, c.url.String())...).CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("run wrk: %w: %s", err, out)
	}
	return parseWrk(string(out))
}

// turnScript has wrk send the cookies in turn. wrk takes a request as it is to be
// written, so the script joins what stands before the cookies and after them.
func turnScript(dir string, c call) (file string, err error) {
	text := c.message()
	list := filepath.Join(dir, "cookies")
	if err := os.WriteFile(list, []byte(strings.Join(c.cookies, "\n")), 0o600); err != nil {
		return "", err
	}
	file = filepath.Join(dir, "turn.lua")
	return file, os.WriteFile(file, fmt.Appendf(nil, `local cookies, n = {}, 0
for cookie in io.lines(%s) do cookies[#cookies + 1] = cookie end
local before, after = %s, %s
function request()
  n = n %% #cookies + 1
  return before .. cookies[n] .. after
end
`, luaString(list), luaString(string(text.before)), luaString(string(text.after))), 0o600)
}

// luaString quotes text, byte by byte where it is not plain.
func luaString(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\%03d`, c)
			continue
		}
		b.WriteByte(c)
	}
	return `"` + b.String() + `"`
}

var (
	wrkCount = regexp.MustCompile(`(?m)^\s+(\d+) requests in `)
	wrkRate  = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)`)
	wrkP50   = regexp.MustCompile(`(?m)^\s+50%\s+(\S+)`)
	wrkP99   = regexp.MustCompile(`(?m)^\s+99%\s+(\S+)`)
)

func parseWrk(out string) (result, error) {
	if strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") {
		return result{}, fmt.Errorf("not every answer was good: %s", out)
	}
	found, err := submatches(out, wrkCount, wrkRate, wrkP50, wrkP99)
	if err != nil {
		return result{}, fmt.Errorf("read what wrk printed: %w: %s", err, out)
	}
	var r result
	var errs [4]error
	r.count, errs[0] = strconv.ParseFloat(found[0], 64)
	r.perSecond, errs[1] = strconv.ParseFloat(found[1], 64)
	r.p50, errs[2] = time.ParseDuration(found[2])
	r.p99, errs[3] = time.ParseDuration(found[3])
	return r, errors.Join(errs[:]...)
}

// submatches returns the first group of each pattern.
func submatches(text string, patterns ...*regexp.Regexp) ([]string, error) {
	var found []string
	for _, p := range patterns {
		m := p.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("nothing is like %v", p)
		}
		found = append(found, m[1])
	}
	return found, nil
}
