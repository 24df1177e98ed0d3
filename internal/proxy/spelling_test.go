package proxy_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
)

func TestMisspellings(t *testing.T) {
	session := func(path string) proxy.Route { return proxy.Route{Path: path} }
	none := func(path string) proxy.Route {
		return proxy.Route{Path: path, Access: proxy.Access{Auth: proxy.AuthNone}}
	}
	at := func(host string, r proxy.Route) proxy.Route { r.Host = host; return r }
	for name, tt := range map[string]struct {
		routes []proxy.Route
		want   []string
	}{
		"an exception below":                  {[]proxy.Route{session("/api/"), none("/api/public/"), none("/")}, nil},
		"a guarded path below":                {[]proxy.Route{none("/docs/"), session("/docs/internal/")}, nil},
		"an exception in capitals":            {[]proxy.Route{session("/api/"), none("/API/public/")}, []string{"/API/public/ /api/"}},
		"an optional one":                     {[]proxy.Route{session("/api/"), {Path: "/Api/me/", Access: proxy.Access{Auth: proxy.AuthOptional}}}, []string{"/Api/me/ /api/"}},
		"a guarded path in capitals":          {[]proxy.Route{none("/files/"), session("/Files/private/")}, []string{"/files/ /Files/private/"}},
		"both in capitals":                    {[]proxy.Route{none("/Files/"), session("/Files/private/")}, nil},
		"a root, which covers every spelling": {[]proxy.Route{none("/"), session("/API/")}, nil},
		"letters of full width":               {[]proxy.Route{session("/s/"), none("/\u017f/x/")}, []string{"/\u017f/x/ /s/"}},
		"names that only begin alike":         {[]proxy.Route{session("/api/"), none("/APIs/")}, nil},
		"two that are open":                   {[]proxy.Route{none("/api/"), none("/API/x/")}, nil},
		"hosts apart":                         {[]proxy.Route{at("a.example", session("/api/")), at("b.example", none("/API/x/"))}, nil},
		"a host and all hosts":                {[]proxy.Route{session("/api/"), at("b.example", none("/API/x/"))}, []string{"/API/x/ /api/"}},
		"the mount, which guards itself":      {[]proxy.Route{none("/")}, nil},
	} {
		var got []string
		for _, m := range table(t, tt.routes...).Misspellings() {
			got = append(got, m.Open.Path+" "+m.Guarded.Path)
		}
		if strings.Join(got, ", ") != strings.Join(tt.want, ", ") {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
