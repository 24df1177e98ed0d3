package cognitoemu

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tokenSet is a successful answer of the token endpoint.
type tokenSet struct {
	IDToken      string `json:"id_token,omitempty"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	TokenType    string `json:"token_type"`
}

// accessClaims are those of an access token: no aud unless it is bound to a
// resource, and username rather than cognito:username. A program's has neither a user nor
// a sign-in.
type accessClaims struct {
	Sub       string   `json:"sub"`
	Groups    []string `json:"cognito:groups,omitempty"`
	Issuer    string   `json:"iss"`
	Version   int      `json:"version"`
	ClientID  string   `json:"client_id"`
	Audience  string   `json:"aud,omitempty"`
	OriginJTI string   `json:"origin_jti,omitempty"`
	DeviceKey string   `json:"device_key,omitempty"`
	EventID   string   `json:"event_id,omitempty"`
	TokenUse  string   `json:"token_use"`
	Scope     string   `json:"scope"`
	AuthTime  int64    `json:"auth_time"`
	Expires   int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	JTI       string   `json:"jti"`
	Username  string   `json:"username,omitempty"`
}

// mint makes the access token and, with openid, the ID token of a grant. jti,
// event_id and iat are new each time; origin_jti and auth_time stay.
func (e *Emulator) mint(g grant, user account, nonce string) (tokenSet, error) {
	keys := e.keys.current()
	client, _ := e.client(g.clientID)
	now, ttl, eventID := e.clock.now(), e.tokenTTL(client), newUUID()
	set := tokenSet{ExpiresIn: int(ttl / time.Second), TokenType: "Bearer"}

	var err error
	set.AccessToken, err = keys.access.sign(accessClaims{
		Sub: user.sub, Groups: user.groups, Issuer: e.issuer, Version: 2, ClientID: g.clientID, Audience: g.resource,
		OriginJTI: g.originJTI, DeviceKey: g.deviceKey, EventID: eventID, TokenUse: "access", Scope: strings.Join(g.scopes, " "),
		AuthTime: g.authTime.Unix(), Expires: now.Add(ttl).Unix(), IssuedAt: now.Unix(), JTI: newUUID(), Username: user.username,
	})
	if err != nil || !(g.viaAPI || g.hasScope(scopeOpenID)) {
		return set, err
	}
	claims := idClaims(g, client, user)
	maps.Copy(claims, map[string]any{
		"iss": e.issuer, "aud": g.clientID, "token_use": "id", "event_id": eventID, "jti": newUUID(),
		"iat": now.Unix(), "exp": now.Add(ttl).Unix(),
	})
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if !g.viaAPI {
		claims["at_hash"] = accessTokenHash(set.AccessToken)
	}
	set.IDToken, err = keys.id.sign(claims)
	return set, err
}

// idClaims are the claims of an ID token that come from the user and the sign-in.
func idClaims(g grant, client Client, user account) map[string]any {
	claims := map[string]any{
		"sub": user.sub, "cognito:username": user.username,
		"origin_jti": g.originJTI, "auth_time": g.authTime.Unix(),
	}
	if len(user.groups) > 0 {
		claims["cognito:groups"] = user.groups
	}
	for name, value := range visibleAttributes(g, client, user) {
		// Booleans here, strings at userInfo: the real service is inconsistent.
		if name == "email_verified" || name == "phone_number_verified" {
			claims[name] = value == "true"
			continue
		}
		claims[name] = value
	}
	if user.federated() {
		claims["identities"] = []any{user.identity.claim()}
	}
	return claims
}

// claim is one entry of `identities`; primary and dateCreated are strings.
func (i identity) claim() map[string]any {
	claim := map[string]any{
		"userId": i.userID, "providerName": i.providerName, "providerType": string(i.providerType), "issuer": nil,
		"primary": "true", "dateCreated": strconv.FormatInt(i.created.UnixMilli(), 10),
	}
	if i.issuer != "" {
		claim["issuer"] = i.issuer
	}
	return claim
}

// scopeAttributes are the attributes that each scope shows.
var scopeAttributes = map[string][]string{
	scopeEmail: {"email", "email_verified"},
	scopePhone: {"phone_number", "phone_number_verified"},
	scopeProfile: {"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile",
		"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"},
}

// visibleAttributes are what a grant may show: with openid alone everything that
// the client can read, with email, phone or profile those subsets. Custom
// attributes always.
func visibleAttributes(g grant, client Client, user account) map[string]string {
	var named []string
	for scope, names := range scopeAttributes {
		if g.hasScope(scope) {
			named = append(named, names...)
		}
	}
	visible := make(map[string]string, len(user.attributes))
	for name, value := range user.attributes {
		if !client.canRead(name) {
			continue
		}
		if len(named) == 0 || slices.Contains(named, name) || strings.HasPrefix(name, "custom:") {
			visible[name] = value
		}
	}
	return visible
}

func (c Client) canRead(attribute string) bool {
	return len(c.ReadAttributes) == 0 || slices.Contains(c.ReadAttributes, attribute)
}

// canReadScopes reports whether the client may read what the scopes promise. Where
// it may not, the real service refuses the code with a bare invalid_grant.
func (c Client) canReadScopes(scopes []string) bool {
	for _, scope := range scopes {
		if scope != scopeEmail && scope != scopePhone {
			continue
		}
		for _, attribute := range scopeAttributes[scope] {
			if !c.canRead(attribute) {
				return false
			}
		}
	}
	return true
}

// accessTokenHash is at_hash of OpenID Connect Core §3.1.3.6.
func accessTokenHash(accessToken string) string {
	digest := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(digest[:len(digest)/2])
}

// Why an access token was refused by an endpoint that asks the pool.
var (
	errAccessExpired = errors.New("access token has expired")
	errAccessRevoked = errors.New("access token has been revoked")
)

// bearer verifies an access token presented to the pool itself and returns its
// claims and user. Elsewhere a revoked token goes on verifying until it expires.
func (e *Emulator) bearer(token string) (accessClaims, account, error) {
	payload, err := e.keys.open(token)
	if err != nil {
		return accessClaims{}, account{}, err
	}
	var claims accessClaims
	if err := json.Unmarshal(payload, &claims); err != nil || claims.TokenUse != "access" {
		return accessClaims{}, account{}, fmt.Errorf("read access token: %w", errNotOurToken)
	}
	if e.clock.now().Unix() >= claims.Expires {
		return accessClaims{}, account{}, errAccessExpired
	}
	user, ok := e.users.lookup(claims.Sub)
	switch {
	case !ok:
		return accessClaims{}, account{}, errUserNotFound
	case user.disabled || !e.grants.live(claims.OriginJTI):
		return accessClaims{}, account{}, errAccessRevoked
	}
	return claims, user, nil
}
