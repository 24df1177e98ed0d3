package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLoad_takes_proxies_from_the_environment: from the variables that every
// program reads, unless a key of ours says otherwise.
func TestLoad_takes_proxies_from_the_environment(t *testing.T) {
	all := []string{"HTTPS_PROXY=http://u:p%40w@proxy:3128/", "HTTP_PROXY=proxy:8080", "NO_PROXY=localhost, .example.com,,10.0.0.0/8,"}
	for name, tt := range map[string]struct {
		file    values
		environ []string
		want    []string // https, http, no
	}{
		"nothing":     {want: []string{"", "", ""}},
		"capitals":    {environ: all, want: []string{"http://u:p%40w@proxy:3128", "http://proxy:8080", "localhost .example.com 10.0.0.0/8"}},
		"lower_case":  {environ: []string{"https_proxy=socks5://p", "http_proxy=https://q", "no_proxy=*"}, want: []string{"socks5://p", "https://q", "*"}},
		"both":        {environ: []string{"https_proxy=a:1", "HTTPS_PROXY=b:2"}, want: []string{"http://b:2", "", ""}},
		"set_to_none": {environ: []string{"https_proxy=a:1", "HTTPS_PROXY="}, want: []string{"http://a:1", "", ""}},
		"a_file":      {file: values{"https_proxy": "http://f:1"}, environ: all[:2], want: []string{"http://f:1", "http://proxy:8080", ""}},
		"none_by_the_file": {file: values{"https_proxy": `""`, "no_proxy": "[]"}, environ: all,
			want: []string{"", "http://proxy:8080", ""}},
		"our_own_variable": {file: values{"https_proxy": "http://f:1"}, environ: append([]string{"GATEHOUSE_HTTPS_PROXY=o:1"}, all...),
			want: []string{"http://o:1", "http://proxy:8080", "localhost .example.com 10.0.0.0/8"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, with(tt.file).yaml(), tt.environ...).Proxy
			got := []string{p.HTTPS.Reveal(), p.HTTP.Reveal(), strings.Join(p.No, " ")}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("proxies (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoad_names_the_proxys_variable in a fault, and nothing of its password.
func TestLoad_names_the_proxys_variable(t *testing.T) {
	const want = `HTTPS_PROXY: https_proxy: "http://[secret]@proxy:3128": want the address of a proxy such as http://proxy.example.com:3128, or socks5://, user and password percent-encoded`
	faults := faultsOf(t, source(with(nil).yaml(), []string{"HTTPS_PROXY=http://u:hunter/2@proxy:3128"}, nil))
	if faults.Error() != want {
		t.Errorf("faults:\n%v\nwant\n%s", faults, want)
	}
}
