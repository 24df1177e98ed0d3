package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// loadByWrk measures with wrk. Its latencies are those it prints itself.
func loadByWrk(ctx context.Context, target *url.URL, cookies string, connections int, duration time.Duration) (result, error) {
	args := []string{"-t1", "-c" + strconv.Itoa(connections), fmt.Sprintf("-d%ds", max(1, int(duration.Seconds()))), "--latency"}
	for _, header := range browserHeaders(cookies) {
		args = append(args, "-H", header)
	}
	out, err := exec.CommandContext(ctx, "wrk", append(args, target.String())...).CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("run wrk: %w: %s", err, out)
	}
	return parseWrk(string(out))
}

var (
	wrkRate = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)`)
	wrkP50  = regexp.MustCompile(`(?m)^\s+50%\s+(\S+)`)
	wrkP99  = regexp.MustCompile(`(?m)^\s+99%\s+(\S+)`)
)

func parseWrk(out string) (result, error) {
	if strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") {
		return result{}, fmt.Errorf("not every answer was good: %s", out)
	}
	rate, p50, p99 := wrkRate.FindStringSubmatch(out), wrkP50.FindStringSubmatch(out), wrkP99.FindStringSubmatch(out)
	if rate == nil || p50 == nil || p99 == nil {
		return result{}, fmt.Errorf("read what wrk printed: %s", out)
	}
	var r result
	var errs [3]error
	r.perSecond, errs[0] = strconv.ParseFloat(rate[1], 64)
	r.p50, errs[1] = time.ParseDuration(p50[1])
	r.p99, errs[2] = time.ParseDuration(p99[1])
	return r, errors.Join(errs[:]...)
}
