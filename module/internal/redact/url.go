package redact

import "net/url"

// RememberPassword keeps the password of a URL out of whatever is printed.
func RememberPassword(u *url.URL) {
	if password, ok := u.User.Password(); ok {
		Remember(password)
	}
}
