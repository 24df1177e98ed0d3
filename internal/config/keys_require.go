package config

import "slices"

// requireKeys are what callers must have, on each route or, without a prefix, on all that
// do not say it for themselves.
func requireKeys(prefix string) []key {
	bind := func(k key, of func(*Require) any) key {
		if k.path = prefix + k.path; prefix == "" {
			k.field = func(c *Config) any { return of(&c.Require) }
		} else {
			k.route = func(r *Route) any { return of(&r.Require) }
		}
		return k
	}
	keys := []key{
		bind(key{path: "require.groups", kind: text{what: "the name of a group"}, list: true,
			doc: "One of these groups: `cognito:groups` of the access token."},
			func(r *Require) any { return &r.Groups }),
		bind(key{path: "require.scopes", kind: text{what: "a scope such as orders/read", check: isScope}, list: true,
			doc: "All of these scopes: `scope` of the access token."},
			func(r *Require) any { return &r.Scopes }),
		bind(key{path: "require.claims", shape: mapping, names: claimName, kind: claimValue{}, list: true,
			doc: "Each of these claims is one of the values, or a list with one of them in it. A session's are those of its ID token, then of its access token; a bearer's those of the token."},
			func(r *Require) any { return &r.Claims }),
		bind(key{path: "require.max_auth_age", kind: duration{0, 400 * day}, def: "0s",
			doc: "How long ago the user signed in at most; otherwise 403 `step_up_required`, or the login for navigations, which asks again. 0s: whenever."},
			func(r *Require) any { return &r.MaxAuthAge }),
		bind(key{path: "require.detail", kind: boolean{}, def: "true",
			doc: "Names in the answer what the caller lacks. `false`: only that something is lacking; the log has it."},
			func(r *Require) any { return &r.Detail }),
	}
	if prefix == "" {
		return slices.Concat([]key{{path: "require", shape: section,
			doc: "What the callers of all routes must have with `auth: session`, `bearer` or `either`, as far as the route does not say it for itself; with `optional` too, if the route has a `require` of its own. See [rules](access.md#rules)."}}, keys)
	}
	return slices.Concat([]key{
		{path: prefix + "require", shape: section, doc: "What the caller must have besides being known; all that stands here. See [rules](access.md#rules)."},
		bind(key{path: "require.default", kind: boolean{}, def: "true",
			doc: "What does not stand here is as in `require` above the routes. `false`: nothing of that holds here."},
			func(r *Require) any { return &r.Default }),
	}, keys)
}
