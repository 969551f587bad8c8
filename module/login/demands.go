package login

import "strings"

// demands are what servers ask of a log-in beyond RFC 6749, by the words with which they
// say so. None of them has an error code for it.
var demands = []struct {
	words  []string
	remedy string
}{
	{
		[]string{"pushed", "par is required", "par required"},
		"the server demands pushed authorization requests (RFC 9126): set pushed_authorization_request_endpoint, or issuer, whose metadata names it",
	},
	{
		[]string{"request object", "request_object", "signed request", "jar is required"},
		"the server demands signed request objects (RFC 9101), which are not made here: let its operator take that off this client, or demand pushed requests instead",
	},
	{
		[]string{"authorization_details", "authorization details"},
		"it is about authorization_details (RFC 9396): write them as the server documents them, or let its operator allow their type to this client",
	},
	{
		[]string{"invalid_target", "resource indicator", "resource parameter"},
		"it is about resource (RFC 8707): name one that the server knows and that this client may use",
	},
	{
		[]string{"dpop"},
		"the server demands tokens that are bound by DPoP (RFC 9449): add 'dpop' to the client's settings, if it is not there",
	},
	{
		[]string{"certificate", "mtls", "mutual tls", "mutual-tls"},
		"the server demands a client certificate (RFC 8705): use token_endpoint_auth_method tls_client_auth, or 'tls { client_auth … }'",
	},
	{
		[]string{"redirect_uri", "redirect uri", "redirect_uri_mismatch"},
		"register http://127.0.0.1/callback as the client's redirect URI, or name the registered one with --redirect-uri",
	},
}

// demanded says which of them an error is about, "" if none.
func demanded(said string) string {
	said = strings.ToLower(said)
	for _, d := range demands {
		for _, word := range d.words {
			if strings.Contains(said, word) {
				return d.remedy
			}
		}
	}
	return ""
}
