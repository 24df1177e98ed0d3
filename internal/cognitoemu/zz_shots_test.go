package cognitoemu

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestShots(t *testing.T) {
	dir := os.Getenv("SHOTS")
	if dir == "" {
		t.Skip()
	}
	f := newFixture(t)
	shot := func(name, url, size, scheme string) {
		prof := t.TempDir()
		out, err := exec.Command("/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir="+prof, "--window-size="+size, "--blink-settings=preferredColorScheme="+scheme, "--screenshot="+dir+"/"+name+".png", url).CombinedOutput()
		if err != nil {
			t.Fatal(err, string(out))
		}
	}
	save := func(name, body string) string {
		body = strings.Replace(body, "<head>", "<head><base href=\""+f.pages+"/\">", 1)
		p := dir + "/" + name + ".html"
		os.WriteFile(p, []byte(body), 0o644)
		return "file://" + p
	}
	pages := map[string]string{}
	pages["login"] = f.pages + "/login?" + request().Encode()
	pages["alert"] = save("alert", f.submit("/login?"+request().Encode(), "username", "alice@example.com", "password", "x").body)
	pages["signup"] = f.pages + "/signup?" + request().Encode()
	c := f.submit("/signup?"+request().Encode(), "username", "zoe@example.com", "password", "Sesame-12", "confirm_password", "Sesame-12")
	pages["confirm"] = save("confirm", f.get(c.location()).body)
	pages["google"] = f.pages + "/simulated/Google?" + request().Encode()
	pages["saml"] = f.pages + "/simulated/CorpSAML?" + request().Encode()
	pages["error"] = f.pages + "/error?error=redirect_mismatch&client_id=x"
	pages["about"] = f.pages + "/"
	f.signIn()
	pages["sso"] = save("sso", strings.Replace(f.get("/login?"+request().Encode()).body, "<details class=\"ready\"", "<details open class=\"ready\"", 1))
	for name, url := range pages {
		shot(name+"-light", url, "1000,900", "1")
		shot(name+"-dark", url, "1000,900", "0")
		shot(name+"-narrow", url, "400,860", "1")
	}
	fmt.Println("done")
}
