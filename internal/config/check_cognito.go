package config

import (
	"net/url"
	"slices"
	"strings"
)

// userScope is what calls on a user's behalf take.
const userScope = "aws.cognito.signin.user.admin"

func (l *loader) checkCognito() {
	c, t := &l.cfg.Cognito, l.top
	l.checkRegion()
	l.checkIssuer()
	l.checkEndpoint()
	if t.sound("cognito.client_id") && isPoolID(c.ClientID) {
		l.reject(t, "cognito.client_id", -1, cure("the app client's id; this one is for cognito.user_pool_id"))
	}
	if l.cfg.RevocationCheck > 0 && t.sound("revocation_check", "cognito.scopes") && !slices.Contains(c.Scopes, userScope) {
		l.reject(t, "revocation_check", -1, curef("0s, or %s among cognito.scopes: GetUser takes it", userScope))
	}
	if t.sound("cognito.scopes") && !slices.Contains(c.Scopes, "openid") {
		l.reject(t, "cognito.scopes", -1, cure("openid among them: without it there is no ID token"))
	}
}

// regional is a key whose value names a region.
type regional struct {
	path, region string
	want         func(region string) cure
}

// regionals are the keys that were given and name a region. The id of a pool with
// an issuer of its own may say anything.
func (l *loader) regionals() []regional {
	c := &l.cfg.Cognito
	pool, _, _ := strings.Cut(c.UserPoolID, "_")
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		issuer = nil
	}
	ownIssuer := l.top.filled("cognito.issuer") && regionOf(issuer, poolHost) == ""
	var out []regional
	for _, r := range []regional{
		{"cognito.user_pool_id", pool, func(r string) cure { return curef("a pool of cognito.region, whose id begins with %s_", r) }},
		{"cognito.domain", regionOf(c.Domain, loginHost), func(r string) cure { return curef("a domain of cognito.region, %s", r) }},
		{"cognito.issuer", regionOf(issuer, poolHost), func(r string) cure { return curef("an issuer of cognito.region, %s", r) }},
		{"cognito.api_endpoint", regionOf(c.APIEndpoint, poolHost), func(r string) cure { return curef("the endpoint of cognito.region, %s", r) }},
	} {
		given := l.top.filled(r.path) && l.top.sound(r.path)
		if given && r.region != "" && !(r.path == "cognito.user_pool_id" && ownIssuer) {
			out = append(out, r)
		}
	}
	return out
}

// checkRegion finds the key whose region is not that of the others.
func (l *loader) checkRegion() {
	c, t := &l.cfg.Cognito, l.top
	all := l.regionals()
	if c.Region == "" || !t.sound("cognito.region") || len(all) == 0 {
		return
	}
	first := all[0].region
	alike := !slices.ContainsFunc(all, func(r regional) bool { return r.region != first })
	if alike && first != c.Region && len(all) > 1 {
		l.reject(t, "cognito.region", -1, curef("%s, the region of %s and %s", first, all[0].path, all[1].path))
		return
	}
	for _, r := range all {
		if r.region != c.Region {
			l.reject(t, r.path, -1, r.want(c.Region)+curef("; or cognito.region: %s", r.region))
		}
	}
}

// checkIssuer finds addresses of Cognito that are no issuer, or another pool's.
func (l *loader) checkIssuer() {
	c, t := &l.cfg.Cognito, l.top
	issuer, err := url.Parse(c.Issuer)
	if err != nil || !t.filled("cognito.issuer") || !t.sound("cognito.issuer") {
		return
	}
	pool := strings.Trim(issuer.Path, "/")
	switch atCognito := regionOf(issuer, poolHost) != ""; {
	case regionOf(issuer, loginHost) != "":
		l.reject(t, "cognito.issuer", -1, cure("it left out: it follows from cognito.region and cognito.user_pool_id; this one is for cognito.domain"))
	case atCognito && !isPoolID(pool):
		l.reject(t, "cognito.issuer", -1, curef("https://%s/%s, with the pool's id and nothing else", issuer.Host, orElse(c.UserPoolID, "POOL")))
	case atCognito && c.UserPoolID != "" && pool != c.UserPoolID && t.sound("cognito.user_pool_id"):
		l.reject(t, "cognito.issuer", -1, curef("the issuer of the pool %s; or cognito.user_pool_id: %s", c.UserPoolID, pool))
	}
}

// checkEndpoint finds addresses of Cognito that are not the API's.
func (l *loader) checkEndpoint() {
	u, t := l.cfg.Cognito.APIEndpoint, l.top
	switch {
	case !t.filled("cognito.api_endpoint") || !t.sound("cognito.api_endpoint"):
	case regionOf(u, loginHost) != "":
		l.reject(t, "cognito.api_endpoint", -1, cure("it left out: it follows from cognito.region; this one is for cognito.domain"))
	case regionOf(u, poolHost) != "" && u.Path != "":
		l.reject(t, "cognito.api_endpoint", -1, curef("https://%s, without path", u.Host))
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
