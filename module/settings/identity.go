package settings

import "reflect"

// Identity are the settings that tell a client from others of its kind.
type Identity struct{ TokenEndpoint, ClientID, ClientSecret, RefreshToken string }

// identityless stands for a setting that is in the identity. No value can be
// resolved from it, so that nobody takes it for one.
const identityless = "{identity}"

// Split takes the identity out of settings.
func (c *Client) Split() (*Client, Identity) {
	rest, id := *c, Identity{c.TokenEndpoint, c.ClientID, c.ClientSecret, c.RefreshToken}
	for _, setting := range []*string{&rest.TokenEndpoint, &rest.ClientID, &rest.ClientSecret, &rest.RefreshToken} {
		if *setting != "" {
			*setting = identityless
		}
	}
	rest.DeclaredAt = ""
	return &rest, id
}

// Join puts an identity back that Split took out.
func (c *Client) Join(id Identity) *Client {
	all := *c
	all.TokenEndpoint, all.ClientID, all.ClientSecret, all.RefreshToken = id.TokenEndpoint, id.ClientID, id.ClientSecret, id.RefreshToken
	return &all
}

// Equal reports whether two declarations say the same, wherever they stand.
func (c *Client) Equal(other *Client) bool {
	a, b := *c, *other
	a.DeclaredAt, b.DeclaredAt = "", ""
	return reflect.DeepEqual(a, b)
}
