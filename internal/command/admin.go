package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// adminFlags say which gateway to ask, and how to show its answer.
type adminFlags struct {
	Admin     string        `help:"Address of the gateway's admin listener, such as http://127.0.0.1:9090." placeholder:"URL"`
	TokenFile string        `help:"File that holds admin_token." placeholder:"FILE"`
	Config    string        `help:"The gateway's configuration: takes both from its admin_listen and admin_token." placeholder:"FILE"`
	JSON      bool          `name:"json" help:"Print the answer as JSON, for scripts."`
	Timeout   time.Duration `help:"How long to wait for the answer." default:"30s"`
}

// gatewayAdmin is the admin API of one gateway.
type gatewayAdmin struct {
	base  string
	token secret.Text
}

// direct calls gateways: without a proxy, which would see the token of the admin
// API, and to which a container's own address means nothing.
var direct = &http.Transport{DisableKeepAlives: true}

// maxAdminAnswer bounds what is read of an answer: a page of a list at most.
const maxAdminAnswer = 1 << 20

// call asks the admin API and returns the body of its answer.
func (f *adminFlags) call(ctx context.Context, p process, method, path string) ([]byte, error) {
	body, _, err := f.ask(ctx, p, method, path)
	return body, err
}

// ask is call that returns the answer's header as well.
func (f *adminFlags) ask(ctx context.Context, p process, method, path string) ([]byte, http.Header, error) {
	admin, err := f.locate(p)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, admin.base+path, nil)
	if err != nil {
		return nil, nil, usagef("--admin: %w", err)
	}
	if !admin.token.Empty() {
		req.Header.Set("Authorization", "Bearer "+admin.token.Reveal())
	}
	res, err := direct.RoundTrip(req) // no redirects: they would take the token elsewhere
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s: %w", admin.base, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAdminAnswer))
	if err != nil {
		return nil, nil, fmt.Errorf("read the answer of %s: %w", admin.base, err)
	}
	if res.StatusCode/100 != 2 {
		return nil, nil, refusal(admin.base, res, body)
	}
	return body, res.Header, nil
}

// refusal words an answer that is none, with what to do about it.
func refusal(base string, res *http.Response, body []byte) error {
	var problem struct{ Code, Detail, RequestID string }
	if json.Unmarshal(body, &problem) != nil || problem.Code == "" {
		return fmt.Errorf("%s answered %s, which is not the admin API: name the address of admin_listen", base, res.Status)
	}
	hint := ""
	switch res.StatusCode {
	case http.StatusUnauthorized:
		hint = " Name its file by --token-file, or the gateway's --config."
	case http.StatusNotFound: // never the admin API's answer to what is asked here
		hint = " Name the address of admin_listen, not that of listen."
	}
	return fmt.Errorf("%s refused (%d %s): %s%s (requestId %s)",
		base, res.StatusCode, onTerminal(problem.Code), onTerminal(problem.Detail), hint, onTerminal(problem.RequestID))
}

// locate finds address and token: each from its own flag, or both from the
// configuration.
func (f *adminFlags) locate(p process) (gatewayAdmin, error) {
	var admin gatewayAdmin
	switch {
	case f.Config != "" && (f.Admin != "" || f.TokenFile != ""):
		return admin, usagef("take either --config or --admin and --token-file")
	case f.Config != "":
		cfg, err := load(f.Config, p)
		if err != nil {
			return admin, err
		}
		return adminOf(cfg)
	case f.Admin == "":
		return admin, usagef("which gateway? Name it by --admin URL and --token-file FILE, or by --config FILE")
	}
	if err := wantURL("--admin", f.Admin); err != nil {
		return admin, err
	}
	u, err := url.Parse(f.Admin)
	if err != nil || u.User != nil || u.RawQuery != "" {
		return admin, usagef("--admin takes an address such as http://127.0.0.1:9090, without user and query")
	}
	admin.base = strings.TrimSuffix(f.Admin, "/")
	if f.TokenFile != "" {
		admin.token, err = readToken(f.TokenFile)
	}
	return admin, err
}

// adminOf turns a listen address into one to call.
func adminOf(cfg *config.Config) (gatewayAdmin, error) {
	host, port, err := net.SplitHostPort(cfg.AdminListen)
	if err != nil || port == "0" {
		return gatewayAdmin{}, usagef("admin_listen is %s: no address to call. Name the real one by --admin", cfg.AdminListen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost" // it listens everywhere, here too
	}
	return gatewayAdmin{base: "http://" + net.JoinHostPort(host, port), token: cfg.AdminToken}, nil
}

// readToken reads a token as admin_token_file does.
func readToken(path string) (secret.Text, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return secret.Text{}, usagef("no token file at %s", path)
	}
	if err != nil {
		return secret.Text{}, usagef("read token file: %w", err)
	}
	token, err := secret.FromFile(data)
	if err != nil {
		return secret.Text{}, usagef("%s: want a file %w", path, err)
	}
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return secret.Text{}, usagef("%s holds no token: one line is wanted", path)
	}
	return secret.NewText(token), nil
}
