//go:build !production

package command

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/loopback"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// config is dev mode's configuration, loaded like any other so that the same
// checks apply to flags and file.
func (d *dev) config() (*config.Config, error) {
	var (
		src config.Source
		err error
	)
	if d.cmd.Config != "" {
		if src, err = source(d.cmd.Config, d.p); err != nil {
			return nil, err
		}
	}
	if src.Presets, err = d.presets(); err != nil {
		return nil, err
	}
	return config.Load(src)
}

// presets are what makes it dev mode, whatever the file says: its addresses, its
// user pool, its keys. The rest is the file's, if it says anything.
func (d *dev) presets() ([]config.Preset, error) {
	port := listenPort(d.on.pool)
	presets := []config.Preset{
		dictate("listen", d.on.front.Addr().String()), dictate("admin_listen", d.on.admin.Addr().String()),
		dictate("admin_token", ""), dictate("public_url", d.publicURL()), dictate("allowed_hosts", ""), dictate("tls", ""),
		dictate("cognito", ""), dictate("cognito.region", "eu-west-1"), dictate("cognito.user_pool_id", cognitoemu.DefaultPoolID),
		dictate("cognito.client_id", cognitoemu.DefaultClientID), dictate("cognito.domain", "http://127.0.0.1:"+port),
		dictate("cognito.issuer", d.issuer()), dictate("cognito.api_endpoint", "http://localhost:"+port),
		dictate("cognito.providers", "Google,CorpSAML"),
		dictate("session.keys", secret.NewKey()), dictate("session.cookie.domain", ""),
		// Cookies know no ports: two gateways on one host would sign each other out.
		dictate("session.cookie.name", "gatehouse-"+listenPort(d.on.front)),
		d.store(), suggest("log.format", "text"),
		suggest("amplify.enabled", "true"), suggest("amplify.password_sign_in", "true"),
		dictate("amplify.redirect_uris", d.publicURL()+"/,"+d.publicURL()),
	}
	routes, err := d.routes()
	return append(presets, routes...), err
}

func (d *dev) store() config.Preset {
	if d.cmd.Redis != "" {
		return config.Preset{Key: "session.store", Text: d.cmd.Redis, By: "--redis"}
	}
	return suggest("session.store", "memory:")
}

func dictate(key, text string) config.Preset {
	return config.Preset{Key: key, Text: text, By: "gateway dev"}
}

func suggest(key, text string) config.Preset {
	return config.Preset{Key: key, Text: text, By: "gateway dev", Default: true}
}

type devRoute struct {
	Path         string `yaml:"path"`
	Upstream     string `yaml:"upstream,omitempty"`
	Static       string `yaml:"static,omitempty"`
	SPAFallback  string `yaml:"spa_fallback,omitempty"`
	Auth         string `yaml:"auth"`
	Timeout      string `yaml:"timeout,omitempty"`
	EncodedSlash bool   `yaml:"allow_encoded_slash,omitempty"`
}

// routes are those to sample and demo page, unless the file has its own, and in
// them those that flags name.
func (d *dev) routes() ([]config.Preset, error) {
	api := devRoute{Path: "/api/", Upstream: "http://" + d.on.sample.Addr().String(), Auth: "session"}
	spa := devRoute{Path: "/", Upstream: api.Upstream, Auth: "none"}
	if isURL(d.cmd.SPA) {
		// What dev servers need: some compile a page when it is first asked for, and Nuxt
		// puts the paths of files into the names of its modules.
		spa.Timeout, spa.EncodedSlash = "5m", true
	}
	presets, err := appendRoutes(nil, config.Preset{By: "gateway dev", Default: true}, api, spa)
	if d.cmd.API != "" && err == nil {
		api.Upstream = d.cmd.API
		presets, err = appendRoutes(presets, config.Preset{By: "--api"}, api)
	}
	if d.cmd.SPA != "" && err == nil {
		presets, err = appendRoutes(presets, config.Preset{By: "--spa"}, d.spaRoute(spa))
	}
	return presets, err
}

func appendRoutes(presets []config.Preset, p config.Preset, routes ...devRoute) ([]config.Preset, error) {
	text, err := yaml.Marshal(routes)
	p.Key, p.Text = "routes", string(text)
	return append(presets, p), err
}

func (d *dev) spaRoute(route devRoute) devRoute {
	if isURL(d.cmd.SPA) {
		route.Upstream = d.cmd.SPA
		return route
	}
	route.Upstream, route.Static = "", d.cmd.SPA
	if dir, err := filepath.Abs(d.cmd.SPA); err == nil {
		route.Static = dir
	}
	if _, err := os.Stat(filepath.Join(route.Static, "index.html")); err == nil {
		route.SPAFallback = "index.html"
	}
	return route
}

// checkTargets finds what is wrong with --api, --spa and --redis before anything
// listens.
func (c *devCmd) checkTargets() error {
	if c.API != "" {
		if err := wantURL("--api", c.API); err != nil {
			return err
		}
	}
	if c.Redis != "" && schemeless.MatchString(c.Redis) {
		return usagef("--redis %s: add redis:// in front: --redis redis://%s", c.Redis, c.Redis)
	}
	if c.SPA == "" || isURL(c.SPA) {
		return nil
	}
	info, err := os.Stat(c.SPA)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return usagef("--spa %s: want a directory, or the address of a dev server; this is a file", c.SPA)
	case schemeless.MatchString(c.SPA):
		return wantURL("--spa", c.SPA)
	}
	return usagef("--spa %s: there is no such directory; the address of a dev server begins with http://", c.SPA)
}

// targetPorts are the ports of this machine that --api and --spa name.
func (c *devCmd) targetPorts() (ports []string) {
	for _, target := range []string{c.API, c.SPA} {
		if u, err := url.Parse(target); err == nil && isURL(target) && loopback.Host(u.Hostname()) {
			ports = append(ports, u.Port())
		}
	}
	return ports
}

// checkLoop refuses a route that would lead back to the gateway, round and round.
func (d *dev) checkLoop(routes []config.Route) error {
	for _, r := range routes {
		for _, up := range r.Upstreams {
			if loopback.Host(up.URL.Hostname()) && up.URL.Port() == listenPort(d.on.front) {
				return usagef("the route %s leads to %s, which is this gateway itself: put that elsewhere, or the gateway by --listen",
					r.Path, up.URL)
			}
		}
	}
	return nil
}

// issuer is the emulator's, which is not built yet when it is needed.
func (d *dev) issuer() string {
	return "http://localhost:" + listenPort(d.on.pool) + "/" + cognitoemu.DefaultPoolID
}

func (d *dev) publicURL() string {
	scheme := "http"
	if d.cmd.TLS {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort("localhost", listenPort(d.on.front))
}

// devOwn lists what presets dictates, for help and documentation.
var devOwn = strings.Join([]string{
	"listen", "admin_listen", "admin_token", "public_url", "allowed_hosts", "tls", "cognito", "session.keys",
	"session.cookie.name", "session.cookie.domain", "amplify.redirect_uris",
}, ", ")
