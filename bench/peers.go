package main

import (
	"context"
	"crypto/rand"
	"debug/buildinfo"
	"encoding/base64"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
)

// Names that stand in several tables. Ratios are taken to the last three.
const (
	nameDirect = "upstream itself"
	nameBare   = "ReverseProxy, as it comes"
	nameTuned  = "ReverseProxy, tuned"
	nameNginx  = "nginx"
	namePeer   = "oauth2-proxy"
)

// peersDir is where `make bench-peers` puts what no Debian package has.
const peersDir = ".cache/bench"

// The peers. Each keeps enough connections to the upstream, writes no log of requests
// (the gateway writes a line for each), and uses all processors.
var (
	direct = entrant{name: nameDirect, start: startDirect}
	bare   = entrant{name: nameBare, start: reverseProxy(roleBare)}
	tuned  = entrant{name: nameTuned, start: reverseProxy(roleTuned)}
	// The gateway sets as much for itself, as long as its heap is small.
	tunedGOGC = entrant{name: nameTuned + ", GOGC=400", start: reverseProxy(roleTuned, "GOGC=400")}

	nginx   = entrant{name: nameNginx, program: "nginx", install: "apt-get install nginx", start: startNginx}
	haproxy = entrant{name: "HAProxy", program: "haproxy", install: "apt-get install haproxy", start: startHAProxy}
	caddy   = entrant{name: "Caddy", program: "caddy", install: "apt-get install caddy", start: startCaddy}

	oauth2Proxy = entrant{
		name: namePeer, program: "oauth2-proxy", install: "make bench-peers", start: startOAuth2Proxy,
	}
)

func startDirect(_ context.Context, l *lab, p *party) error {
	p.base = l.upstream
	return nil
}

// reverseProxy starts this program in a role, beside variables.
func reverseProxy(role string, variables ...string) func(context.Context, *lab, *party) error {
	return func(ctx context.Context, l *lab, p *party) error {
		scheme, variables := "http", append(variables, upstreamVariable+"="+l.upstream)
		if l.secure {
			scheme = "https"
			variables = append(variables, certVariable+"="+l.cert.certFile, keyVariable+"="+l.cert.keyFile)
		}
		var err error
		p.process, p.base, err = startRole(ctx, l.dir, role, scheme, variables...)
		p.figures = p.base + figuresPath
		return l.keep(p.process, err)
	}
}

// listener runs somebody else's program until it listens at address.
func (l *lab) listener(ctx context.Context, p *party, address string, c command) error {
	c.dir = l.dir
	c.name, _ = program(c.name)
	var err error
	p.base = l.public(address)
	p.process, err = start(ctx, c)
	if err := l.keep(p.process, err); err != nil {
		return err
	}
	return p.process.waitUntilListening(ctx, address)
}

// upstreamAddress is the upstream's host:port.
func (l *lab) upstreamAddress() string { return strings.TrimPrefix(l.upstream, "http://") }

func startNginx(ctx context.Context, l *lab, p *party) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	listen := address
	if l.secure {
		listen = fmt.Sprintf("%s ssl http2; ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.3", address, l.cert.certFile, l.cert.keyFile)
	}
	conf, err := l.file("nginx.conf", fmt.Sprintf(`daemon off; worker_processes %[1]d; worker_rlimit_nofile 16384; pid %[2]s/nginx.pid;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s; scgi_temp_path %[2]s;
  map $http_upgrade $upgrade { default upgrade; '' ''; }
  upstream api { server %[3]s; keepalive 512; keepalive_requests 1000000; }
  server {
    listen %[4]s;
    location / {
      proxy_pass http://api; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrade;
      proxy_request_buffering off; proxy_max_temp_file_size 0; # bodies are passed on as they come, as elsewhere
    }
  }
}
`, runtime.NumCPU(), l.dir, l.upstreamAddress(), listen))
	if err != nil {
		return err
	}
	return l.listener(ctx, p, address, command{name: "nginx", args: []string{"-e", "stderr", "-p", l.dir, "-c", conf}})
}

func startHAProxy(ctx context.Context, l *lab, p *party) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	bind := address
	if l.secure {
		bind += " ssl crt " + l.cert.bothFile + " alpn h2,http/1.1"
	}
	conf, err := l.file("haproxy.cfg", fmt.Sprintf(`global
  nbthread %d
  maxconn 8192
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend front
  bind %s
  default_backend api
backend api
  server api %s
`, runtime.NumCPU(), bind, l.upstreamAddress()))
	if err != nil {
		return err
	}
	return l.listener(ctx, p, address, command{name: "haproxy", args: []string{"-db", "-q", "-f", conf}})
}

func startCaddy(ctx context.Context, l *lab, p *party) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	tls := ""
	if l.secure {
		tls = "tls " + l.cert.certFile + " " + l.cert.keyFile
	}
	conf, err := l.file("Caddyfile", fmt.Sprintf(`{
	admin off
	auto_https disable_redirects
	skip_install_trust
	servers {
		protocols h1 h2
	}
}
%s {
	bind 127.0.0.1
	%s
	reverse_proxy %s {
		transport http {
			compression off
			keepalive 90s
			keepalive_idle_conns_per_host 512
		}
	}
}
`, l.public(address), tls, l.upstreamAddress()))
	if err != nil {
		return err
	}
	return l.listener(ctx, p, address, command{
		name: "caddy", args: []string{"run", "--config", conf, "--adapter", "caddyfile"},
		env: []string{"HOME=" + l.dir, "XDG_DATA_HOME=" + l.dir, "XDG_CONFIG_HOME=" + l.dir},
	})
}

// peerCallback is where oauth2-proxy has the user pool send browsers.
const peerCallback = "/oauth2/callback"

// startOAuth2Proxy starts the other auth proxy with the same user pool, sessions in
// the same Redis and the access token passed on, and signs in as anybody would.
func startOAuth2Proxy(ctx context.Context, l *lab, p *party) error {
	address, public, err := l.front()
	if err != nil {
		return err
	}
	args := []string{
		"--provider=oidc", "--oidc-issuer-url=" + l.issuer(), "--client-id=" + peerClient, "--client-secret=" + peerSecret,
		"--redirect-url=" + public + peerCallback, "--scope=openid email profile", "--code-challenge-method=S256",
		"--email-domain=*", "--skip-provider-button=true", "--upstream=" + l.upstream + "/", "--pass-access-token=true",
		"--cookie-secret=" + peerSecretKey(), "--cookie-secure=" + fmt.Sprint(l.secure),
		"--request-logging=false", "--auth-logging=false",
	}
	if strings.HasPrefix(l.store, "redis:") {
		args = append(args, "--session-store-type=redis", "--redis-connection-url="+l.store)
	}
	if l.secure {
		args = append(args, "--https-address="+address, "--http-address=", "--tls-cert-file="+l.cert.certFile, "--tls-key-file="+l.cert.keyFile)
	} else {
		args = append(args, "--http-address="+address)
	}
	if err := l.listener(ctx, p, address, command{name: "oauth2-proxy", args: args}); err != nil {
		return err
	}
	p.login = "/oauth2/start?rd=" + url.QueryEscape(apiPath)
	p.cookies, err = l.signIn(ctx, p)
	return err
}

// peerSecretKey is a key as oauth2-proxy takes it.
func peerSecretKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.URLEncoding.EncodeToString(key)
}

// versions names the programs that were measured, or that measured.
func versions(ctx context.Context, programs ...string) []string {
	var all []string
	for _, name := range programs {
		path, ok := program(name)
		if !ok {
			continue
		}
		if number := versionNumber.FindString(versionText(ctx, name, path)); number != "" {
			all = append(all, name+" "+number)
		}
	}
	return all
}

var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)*`)

// versionText is what the program says of itself; what `go install` made, and only
// that, knows the version by its module alone.
func versionText(ctx context.Context, name, path string) string {
	if info, err := buildinfo.ReadFile(path); err == nil && versionNumber.MatchString(info.Main.Version) {
		return info.Main.Version
	}
	flag, ok := map[string]string{"nginx": "-v", "haproxy": "-v", "wrk": "-v", "caddy": "version"}[name]
	if !ok {
		flag = "--version"
	}
	out, _ := exec.CommandContext(ctx, path, flag).CombinedOutput() // wrk ends with 1
	return string(out)
}
