//go:build !production

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// devRun is dev mode, running.
type devRun struct {
	url    string // as printed behind "open"
	stdout string // up to there and a little more
	stderr func() string
	stop   func()
}

// printed is what a command wrote so far.
type printed struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// startDev runs `gateway dev` in this process until it says that it is there.
func startDev(t *testing.T, environ []string, args ...string) devRun {
	t.Helper()
	var stdout, stderr printed
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"dev"}, args...), process{environ: environ, stdout: &stdout, stderr: &stderr})
	}()
	for deadline := time.Now().Add(patience); !strings.Contains(stdout.String(), "Ctrl-C"); time.Sleep(5 * time.Millisecond) {
		select {
		case status := <-ended:
			cancel()
			t.Fatalf("dev ended with %d\n%s%s", status, stdout.String(), stderr.String())
		default:
		}
		if time.Now().After(deadline) {
			cancel()
			t.Fatalf("dev is not ready after %v\n%s%s", patience, stdout.String(), stderr.String())
		}
	}
	d := devRun{stdout: stdout.String(), stderr: stderr.String, stop: sync.OnceFunc(func() {
		cancel()
		if status := <-ended; status != exitOK {
			t.Errorf("dev ended with %d\n%s", status, stderr.String())
		}
	})}
	t.Cleanup(d.stop)
	d.url = d.said(t, "open")
	return d
}

// said is the first word behind a name in the list of addresses.
func (d devRun) said(t *testing.T, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(name) + ` +(\S+)`).FindStringSubmatch(d.stdout)
	if m == nil {
		t.Fatalf("dev does not say %q:\n%s", name, d.stdout)
	}
	return m[1]
}

// signIn goes through the hosted pages as alice and returns the client whose
// browser is signed in, and the page it ended on.
func (d devRun) signIn(t *testing.T, mount string) (*http.Client, string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	res, page := send(t, client, "GET", d.url+mount+"/login?return_to="+mount+"/session", "Accept", "text/html")
	if res.StatusCode != http.StatusOK || res.Request.URL.Path != "/login" {
		t.Fatalf("the login leads to %s: %d\n%.500s", res.Request.URL, res.StatusCode, page)
	}
	action := regexp.MustCompile(`<form method="post" action="([^"]+)">`).FindStringSubmatch(page)
	csrf := regexp.MustCompile(`name="_csrf" value="([^"]+)"`).FindStringSubmatch(page)
	if action == nil || csrf == nil {
		t.Fatalf("no form on the page:\n%.500s", page)
	}
	to, err := res.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"_csrf": {html.UnescapeString(csrf[1])}, "username": {"alice@example.com"}, "password": {"Passw0rd!"}}
	res, err = client.PostForm(to.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return client, string(body)
}

// hold opens a port at an address of this machine until the test is over.
func hold(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// heldPort is a port that somebody listens on, before a few that are free: dev mode
// moves there.
func heldPort(t *testing.T) int {
	t.Helper()
	port := freeport.Row(t, 4)
	hold(t, fmt.Sprintf("127.0.0.1:%d", port))
	return port
}

// withDevPorts makes these the default ports.
func withDevPorts(t *testing.T, gateway, cognito, admin int) {
	t.Helper()
	before := devPorts
	t.Cleanup(func() { devPorts = before })
	devPorts.gateway, devPorts.cognito, devPorts.admin = gateway, cognito, admin
}

func TestDevDefaultPorts(t *testing.T) {
	if devPorts.gateway != 8080 || devPorts.cognito != 9229 || devPorts.admin != 9090 {
		t.Errorf("documented are 8080, 9229 and 9090, not %+v", devPorts)
	}
}

// TestDevMovesFromTakenPorts: with all its default ports taken dev mode starts
// at the next free ones, says so before anything else, and a user can sign in:
// all that derives from a port has moved along.
func TestDevMovesFromTakenPorts(t *testing.T) {
	gateway, cognito, admin := heldPort(t), heldPort(t), heldPort(t)
	withDevPorts(t, gateway, cognito, admin)
	d := startDev(t, nil)
	before, _, _ := strings.Cut(d.stdout, "  open ")
	for name, port := range map[string]int{"gateway": gateway, "Cognito emulator": cognito, "admin listener": admin} {
		want := fmt.Sprintf("port %d is taken: the %s has ", port, name)
		if !strings.Contains(before, want) {
			t.Errorf("no %q before the addresses:\n%s", want, d.stdout)
		}
		if strings.Contains(strings.SplitAfter(d.stdout, "  open ")[1], fmt.Sprintf(":%d", port)) {
			t.Errorf("an address names the port %d, which is somebody else's:\n%s", port, d.stdout)
		}
	}
	client, session := d.signIn(t, "/auth")
	if !strings.Contains(session, `"authenticated":true`) {
		t.Fatalf("signed in: %.300s", session)
	}
	at, err := url.Parse(d.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range client.Jar.Cookies(at) {
		if strings.HasPrefix(c.Name, "gatehouse") && !strings.HasPrefix(c.Name, "gatehouse-"+at.Port()) {
			t.Errorf("the cookie %s does not end in the port %s", c.Name, at.Port())
		}
	}
	if _, hello := send(t, client, "GET", d.url+"/api/hello", "Sec-Fetch-Site", "same-origin"); !strings.Contains(hello, "Hello! ") {
		t.Errorf("the sample API says %.200s", hello)
	}
	if res, _ := send(t, client, "GET", d.said(t, "admin")+"/healthz"); res.StatusCode != http.StatusOK {
		t.Errorf("admin: %d", res.StatusCode)
	}
	if res, body := send(t, client, "POST", d.url+"/auth/logout", "Sec-Fetch-Site", "same-origin"); res.StatusCode != http.StatusOK {
		t.Errorf("logout: %d %s", res.StatusCode, body)
	}
}

// TestDevTakesAFreeDefault: where the default port is free dev mode is there.
func TestDevTakesAFreeDefault(t *testing.T) {
	free := freeport.Row(t, 1)
	withDevPorts(t, free, heldPort(t), heldPort(t))
	d := startDev(t, nil)
	if want := fmt.Sprintf("http://localhost:%d", free); d.url != want {
		t.Errorf("opened at %s, want %s:\n%s", d.url, want, d.stdout)
	}
}

// TestDevMovesFromAPortTakenAtTheOtherLoopback: a browser that looks up
// localhost may ask [::1] first, where Node listens by default.
func TestDevMovesFromAPortTakenAtTheOtherLoopback(t *testing.T) {
	port := freeport.Row(t, 4)
	other, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port))
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	defer func() { _ = other.Close() }()
	withDevPorts(t, port, heldPort(t), heldPort(t))
	d := startDev(t, nil)
	if strings.HasSuffix(d.url, fmt.Sprintf(":%d", port)) {
		t.Errorf("moved nowhere: %s", d.stdout)
	}
	d.stop()
	var stderr printed
	status := run(t.Context(), []string{"dev", "--listen", fmt.Sprintf("127.0.0.1:%d", port)},
		process{stdout: io.Discard, stderr: &stderr})
	if status != exitFailed || !strings.Contains(stderr.String(), fmt.Sprintf("port %d is in use at [::1]:%d (flag --listen)", port, port)) {
		t.Errorf("named by a flag: %d %s", status, stderr.String())
	}
}

// TestDevNeverTakesANamedPortForADefault: the default of one listener does not
// move to where a flag puts another.
func TestDevNeverTakesANamedPortForADefault(t *testing.T) {
	taken := heldPort(t)
	withDevPorts(t, taken, heldPort(t), heldPort(t))
	next := fmt.Sprintf("127.0.0.1:%d", taken+1) // where the default would go
	d := startDev(t, nil, "--admin-listen", next)
	if got := d.said(t, "admin"); got != "http://"+next {
		t.Errorf("admin at %s, want %s", got, next)
	}
}

// TestDevSaysThatTheBrowserWarns of the certificate of --tls, before it does.
func TestDevSaysThatTheBrowserWarns(t *testing.T) {
	d := startDev(t, nil, "--listen", freeport.Addr(t), "--cognito-listen", freeport.Addr(t), "--admin-listen", freeport.Addr(t), "--tls")
	if !strings.HasPrefix(d.url, "https://") || !strings.Contains(d.stdout, "warns of the certificate") {
		t.Errorf("dev says\n%s", d.stdout)
	}
}

// TestDevLeavesThePortOfAnUpstreamAlone: the developer's API may be started
// later, at the very port that dev mode would take.
func TestDevLeavesThePortOfAnUpstreamAlone(t *testing.T) {
	port := freeport.Row(t, 4)
	withDevPorts(t, port, heldPort(t), heldPort(t))
	api := fmt.Sprintf("http://localhost:%d", port)
	if d := startDev(t, nil, "--api", api); d.url == api {
		t.Errorf("the gateway is where the API will be:\n%s", d.stdout)
	}
	for _, own := range []string{api, fmt.Sprintf("http://api.localhost:%d", port)} {
		var stderr printed
		status := run(t.Context(), []string{"dev", "--api", own, "--listen", fmt.Sprintf("127.0.0.1:%d", port)},
			process{stdout: io.Discard, stderr: &stderr})
		if status != exitUsage || !strings.Contains(stderr.String(), "the route /api/ leads to "+own+", which is this gateway itself") {
			t.Errorf("named by a flag: %d %s", status, stderr.String())
		}
	}
}

// TestDevConfig: a file of the developer's own decides routes and sessions; dev
// mode keeps its addresses, user pool and keys, and says what it does not use.
func TestDevConfig(t *testing.T) {
	orders := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "orders got %s, bearer %t", r.URL.Path, strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ey"))
	}))
	defer orders.Close()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "my front end") }))
	defer front.Close()
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(`
public_url: https://app.example.com
admin_token: ${ADMIN_TOKEN}
mount: /bff
cognito:
  region: us-east-1
  user_pool_id: us-east-1_AbCdEf123
  client_id: 1h57kf5cpq17m0eml12EXAMPLE
  client_secret: ${COGNITO_CLIENT_SECRET}
  domain: https://login.example.com
session:
  keys_file: /run/secrets/none-here
  idle_timeout: ${IDLE}
  cookie: {name: shop, domain: example.com}
routes:
  - {path: /orders/, upstream: "http://127.0.0.1:1", strip_prefix: true}
  - {path: /, upstream: "http://127.0.0.1:1", auth: session}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	withDevPorts(t, heldPort(t), heldPort(t), heldPort(t))
	d := startDev(t,
		[]string{"IDLE=7m", "GATEHOUSE_SESSION_ABSOLUTE_TIMEOUT=2h", "GATEHOUSE_COGNITO_CLIENT_ID=of-production",
			"GATEHOUSE_ROUTES=[{path: /orders/, upstream: '" + orders.URL + "', strip_prefix: true}, {path: /, upstream: 'http://127.0.0.1:1', auth: session}]"},
		"--config", file, "--spa", front.URL)
	client, session := d.signIn(t, "/bff")
	var now, idle, whole int
	for name, to := range map[string]*int{"serverTime": &now, "idleExpiresAt": &idle, "sessionExpiresAt": &whole} {
		m := regexp.MustCompile(`"` + name + `":(\d+)`).FindStringSubmatch(session)
		if m == nil {
			t.Fatalf("session: %.300s\nlog: %s", session, d.stderr())
		}
		*to, _ = strconv.Atoi(m[1])
	}
	if got := idle - now; got < 360 || got > 7*60*11/10 {
		t.Errorf("idle for %d s, want the file's 7 minutes", got)
	}
	if got := whole - now; got < 7000 || got > 7200 {
		t.Errorf("ends in %d s, want the variable's 2 hours", got)
	}
	if _, body := send(t, client, "GET", d.url+"/orders/5", "Sec-Fetch-Site", "same-origin"); body != "orders got /5, bearer true" {
		t.Errorf("the file's route: %.200s", body)
	}
	if _, body := send(t, client, "GET", d.url+"/", "Sec-Fetch-Site", "same-origin"); body != "my front end" {
		t.Errorf("--spa: %.200s", body)
	}
	if res, _ := send(t, &http.Client{}, "GET", d.url+"/", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("--spa let a stranger in where the file has auth: session: %d", res.StatusCode)
	}
	for _, key := range []string{"admin_token", "public_url", "cognito", "session.keys", "session.cookie.name", "session.cookie.domain"} {
		if !regexp.MustCompile(`(?m)^  not used .*\b` + regexp.QuoteMeta(key) + `\b`).MatchString(d.stdout) {
			t.Errorf("does not say that %s is not used:\n%s", key, d.stdout)
		}
	}
}

// TestDevWarnsOfWhatTheDemoPageDoesNotKnow: its scripts have the default mount
// and one header in them.
func TestDevWarnsOfWhatTheDemoPageDoesNotKnow(t *testing.T) {
	for want, text := range map[string]string{
		"mount is /bff":         "mount: /bff",
		"csrf_header is X-Mine": "csrf_header: X-Mine",
		"":                      "csrf_header: x-csrf\nmount: /auth",
	} {
		file := filepath.Join(t.TempDir(), "mine.yaml")
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		withDevPorts(t, heldPort(t), heldPort(t), heldPort(t))
		d := startDev(t, nil, "--config", file)
		d.stop()
		if warned := d.stderr(); strings.Contains(warned, "demo page") != (want != "") || !strings.Contains(warned, want) {
			t.Errorf("%s: warned %q", text, warned)
		}
	}
}

// TestDevServesTheFacade for aws-amplify: without being told, and with a file for
// production, whose redirect addresses cannot be those of a gateway on loopback.
func TestDevServesTheFacade(t *testing.T) {
	for text, want := range map[string]int{
		"": http.StatusBadRequest, // in Cognito's form: nobody is signed in
		"amplify: {enabled: true, redirect_uris: [https://app.example.com/]}": http.StatusBadRequest,
		"amplify: {enabled: false}": http.StatusNotFound,
	} {
		file := filepath.Join(t.TempDir(), "mine.yaml")
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		withDevPorts(t, heldPort(t), heldPort(t), heldPort(t))
		d := startDev(t, nil, "--config", file)
		res, body := send(t, &http.Client{}, "POST", d.url+"/auth/amplify/idp/", "Sec-Fetch-Site", "same-origin",
			"Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", "AWSCognitoIdentityProviderService.GetUser")
		if res.StatusCode != want {
			t.Errorf("%s: %d %.200s", text, res.StatusCode, body)
		}
		d.stop()
		if warned := d.stderr(); strings.Contains(warned, "amplify.") {
			t.Errorf("%s: warned %q", text, warned)
		}
	}
}

// TestDevOwnIsWhatDevKeeps holds the help to what happens: a file's value of each
// key named there gives way, and of no other.
func TestDevOwnIsWhatDevKeeps(t *testing.T) {
	c := &devCmd{}
	on, err := c.open(io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer on.close()
	presets, err := (&dev{cmd: c, on: on}).presets()
	if err != nil {
		t.Fatal(err)
	}
	_, documented, _ := strings.Cut(read(t, "../../docs/development.md"), "| not used | because")
	kept := map[string]bool{}
	for _, p := range presets {
		for _, name := range strings.Split(devOwn, ", ") {
			if p.Key == name || strings.HasPrefix(p.Key, name+".") {
				kept[name], kept[p.Key] = true, true
			}
		}
		if kept[p.Key] == p.Default {
			t.Errorf("%s: gives way to the file %t, named in the help %t", p.Key, p.Default, kept[p.Key])
		}
	}
	for _, name := range strings.Split(devOwn, ", ") {
		if !kept[name] {
			t.Errorf("the help names %s, which is the file's", name)
		}
		if !strings.Contains(documented, "`"+name+"`") {
			t.Errorf("docs/development.md does not name %s", name)
		}
	}
}

// TestDevTakesTheStoreOfItsFlag without calling it a value that is not used.
func TestDevTakesTheStoreOfItsFlag(t *testing.T) {
	c := &devCmd{Redis: "redis://127.0.0.1:6379"}
	on, err := c.open(io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer on.close()
	cfg, err := (&dev{cmd: c, on: on}).config()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Session.Store.Scheme != "redis" || len(cfg.Overruled) > 0 {
		t.Errorf("store %s, not used %q", cfg.Session.Store, cfg.Overruled)
	}
}

// TestDevSuitsDevServers, which compile what they are first asked for and have names
// with an encoded slash; nothing else gets as much.
func TestDevSuitsDevServers(t *testing.T) {
	const usual = 30 * time.Second
	for spa, waits := range map[string]time.Duration{"": usual, t.TempDir(): usual, "http://127.0.0.1:1": 5 * time.Minute} {
		c := &devCmd{SPA: spa}
		on, err := c.open(io.Discard, nil)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := (&dev{cmd: c, on: on}).config()
		on.close()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range cfg.Routes {
			want := waits
			if r.Path == "/api/" {
				want = usual
			}
			if r.Timeout != want || r.AllowEncodedSlash != (want != usual) {
				t.Errorf("--spa %q: %s waits %v, takes an encoded slash: %t", spa, r.Path, r.Timeout, r.AllowEncodedSlash)
			}
		}
	}
}

// TestListenSaysWhichPortAndKey covers every listener of every command.
func TestListenSaysWhichPortAndKey(t *testing.T) {
	port := heldPort(t)
	taken := fmt.Sprintf("127.0.0.1:%d", port)
	file := filepath.Join(t.TempDir(), "gatehouse.yaml")
	if err := os.WriteFile(file, []byte(`
public_url: http://localhost:8080
cognito: {region: eu-west-1, user_pool_id: eu-west-1_AbCdEf123, client_id: any, domain: https://login.example.com}
session: {store: "memory:", keys: ["`+secret.NewKey()+`"]}
routes: [{path: /, upstream: "http://127.0.0.1:1"}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		by      string
		args    []string
		environ []string
	}{
		{"key listen", []string{"serve", "--config", file}, []string{"GATEHOUSE_LISTEN=" + taken, "GATEHOUSE_ADMIN_LISTEN=127.0.0.1:0"}},
		{"key admin_listen", []string{"serve", "--config", file}, []string{"GATEHOUSE_LISTEN=127.0.0.1:0", "GATEHOUSE_ADMIN_LISTEN=" + taken}},
		{"flag --listen", []string{"dev", "--listen", taken}, nil},
		{"flag --cognito-listen", []string{"dev", "--listen", "127.0.0.1:0", "--cognito-listen", taken}, nil},
		{"flag --admin-listen", []string{"dev", "--listen", "127.0.0.1:0", "--admin-listen", taken}, nil},
		{"flag --sample-listen", []string{"dev", "--listen", "127.0.0.1:0", "--sample-listen", taken}, nil},
		{"flag --listen", []string{"cognito", "--listen", taken}, nil},
		{"flag --listen", []string{"sample", "--listen", taken}, nil},
	} {
		t.Run(strings.Join(tc.args[:1], " ")+" "+tc.by, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var stderr printed
			status := run(ctx, tc.args, process{environ: tc.environ, stdout: io.Discard, stderr: &stderr})
			want := fmt.Sprintf("port %d is in use (%s)", port, tc.by)
			if status != exitFailed || !strings.Contains(stderr.String(), want) {
				t.Errorf("status %d, stderr %q; want %q", status, stderr.String(), want)
			}
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Error("it started all the same")
			}
		})
	}
}
