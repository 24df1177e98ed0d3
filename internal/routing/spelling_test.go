package routing_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

func TestMisspellings(t *testing.T) {
	session := func(path string) routing.Route { return routing.Route{Path: path} }
	none := func(path string) routing.Route {
		return routing.Route{Path: path, Access: routing.Access{Auth: routing.AuthNone}}
	}
	staff := func(path string) routing.Route {
		return routing.Route{Path: path, Access: routing.Access{Require: &routing.Require{Groups: routing.NewSet("staff")}}}
	}
	at := func(host string, r routing.Route) routing.Route { r.Host = host; return r }
	for name, tt := range map[string]struct {
		routes []routing.Route
		want   []string
	}{
		"an exception below":                  {[]routing.Route{session("/api/"), none("/api/public/"), none("/")}, nil},
		"a guarded path below":                {[]routing.Route{none("/docs/"), session("/docs/internal/")}, nil},
		"an exception in capitals":            {[]routing.Route{session("/api/"), none("/API/public/")}, []string{"/API/public/ /api/"}},
		"an optional one":                     {[]routing.Route{session("/api/"), {Path: "/Api/me/", Access: routing.Access{Auth: routing.AuthOptional}}}, []string{"/Api/me/ /api/"}},
		"a guarded path in capitals":          {[]routing.Route{none("/files/"), session("/Files/private/")}, []string{"/files/ /Files/private/"}},
		"both in capitals":                    {[]routing.Route{none("/Files/"), session("/Files/private/")}, nil},
		"a root, which covers every spelling": {[]routing.Route{none("/"), session("/API/")}, nil},
		"letters of full width":               {[]routing.Route{session("/s/"), none("/\u017f/x/")}, []string{"/\u017f/x/ /s/"}},
		"names that only begin alike":         {[]routing.Route{session("/api/"), none("/APIs/")}, nil},
		"one that requires nothing":           {[]routing.Route{staff("/api/"), session("/API/me/")}, []string{"/API/me/ /api/"}},
		"one that requires nothing, above":    {[]routing.Route{session("/api/"), staff("/API/admin/")}, []string{"/api/ /API/admin/"}},
		"an open one and one that requires":   {[]routing.Route{none("/api/"), staff("/API/admin/")}, []string{"/api/ /API/admin/"}},
		"two that require":                    {[]routing.Route{staff("/api/"), staff("/API/me/")}, nil},
		"two that are open":                   {[]routing.Route{none("/api/"), none("/API/x/")}, nil},
		"hosts apart":                         {[]routing.Route{at("a.example", session("/api/")), at("b.example", none("/API/x/"))}, nil},
		"a host and all hosts":                {[]routing.Route{session("/api/"), at("b.example", none("/API/x/"))}, []string{"/API/x/ /api/"}},
		"the mount, which guards itself":      {[]routing.Route{none("/")}, nil},
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
