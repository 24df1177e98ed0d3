package config

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// Cognito's own hosts. The user-pool API and the issuer are at the first, managed
// login is at the second or at a domain of one's own.
var (
	poolHost  = regexp.MustCompile(`^(?:issuer-)?cognito-idp(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$`)
	loginHost = regexp.MustCompile(`^[a-z0-9-]+\.auth(?:-fips)?\.([a-z0-9-]+)\.amazoncognito\.com(?:\.cn)?$`)
)

// regionalEndpoint is where a region has the user-pool API: in China under another
// name.
func regionalEndpoint(region string) string {
	endpoint := "https://cognito-idp." + region + ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		endpoint += ".cn"
	}
	return endpoint
}

// regionalIssuer is a pool's issuer in its usual form. Pools may be set to another.
func regionalIssuer(region, pool string) string { return regionalEndpoint(region) + "/" + pool }

// IssuerIsRegional reports whether region and pool id alone decide the issuer.
func (c *Cognito) IssuerIsRegional() bool { return c.Issuer == regionalIssuer(c.Region, c.UserPoolID) }

// regionOf is the region that the name of one of these hosts says, or empty.
func regionOf(u *url.URL, host *regexp.Regexp) string {
	if u == nil {
		return ""
	}
	if m := host.FindStringSubmatch(u.Hostname()); m != nil {
		return m[1]
	}
	return ""
}

// region fills a *string.
type region struct{}

var regionForm = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)

func (region) want() string { return "an AWS region such as eu-west-1" }

func (k region) parse(field any, s string) error {
	if s != "" && !regionForm.MatchString(s) {
		if meant := meantRegion(s); meant != "" {
			return curef("%s, perhaps", meant)
		}
		return cure(k.want())
	}
	put(field, s)
	return nil
}

var (
	joined = regexp.MustCompile(`([a-z])([0-9])`)    // eu-west1
	zone   = regexp.MustCompile(`(-[0-9]+)-?[a-z]$`) // eu-west-1a
)

// meantRegion respells what is nearly a region; empty where it is not.
func meantRegion(s string) string {
	s = strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(strings.TrimSpace(s)))
	s = zone.ReplaceAllString(joined.ReplaceAllString(s, "$1-$2"), "$1")
	if !regionForm.MatchString(s) {
		return ""
	}
	return s
}

func (region) format(field any) []string  { return taken(field) }
func (region) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// poolID fills a *string.
type poolID struct{}

func (poolID) want() string { return "a user pool id such as eu-west-1_AbCdEf123" }

func (k poolID) parse(field any, s string) error {
	if s == "" || isPoolID(s) {
		put(field, s)
		return nil
	}
	// An ARN and an issuer end in the id.
	if id := s[strings.LastIndexByte(s, '/')+1:]; isPoolID(id) {
		return curef("%s, the id alone", id)
	}
	return cure(k.want())
}

func (poolID) format(field any) []string  { return taken(field) }
func (poolID) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// loginDomain is the address of managed login: a [webURL] without path. It is
// often mistaken for the issuer, which the same console page shows.
type loginDomain struct{ webURL }

func (k loginDomain) parse(field any, s string) error {
	u, ok := parseWeb(s)
	if !ok {
		return k.webURL.parse(field, s)
	}
	pool := strings.Trim(u.Path, "/")
	switch r := regionOf(u, poolHost); {
	case r != "" && isPoolID(pool):
		return curef("the address of managed login, such as https://my-prefix.auth.%s.amazoncognito.com or a domain of your own; "+
			"this one is cognito.issuer, which follows from cognito.region: %s and cognito.user_pool_id: %s", r, r, pool)
	case r != "":
		return curef("the address of managed login, such as https://my-prefix.auth.%s.amazoncognito.com or a domain of your own; "+
			"this one is cognito.api_endpoint, which follows from cognito.region: %s", r, r)
	case isPoolID(pool):
		return curef("%s://%s, without path; %s is for cognito.user_pool_id", u.Scheme, u.Host, pool)
	}
	return k.webURL.parse(field, s)
}
