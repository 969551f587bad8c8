package settings

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"lamplighter/module/placeholder"
)

// checkDetails is about authorization_details, as far as they do not come from elsewhere.
func (c *Client) checkDetails() error {
	if len(c.AuthorizationDetails) == 0 {
		return nil
	}
	place, elsewhere := c.detailsPlace()
	if !elsewhere {
		return checkDetails(c.AuthorizationDetails)
	}
	if !strings.HasPrefix(place, "{") || strings.Index(place, "}") != len(strings.TrimRight(place, "}")) {
		return errors.New("authorization_details is a JSON array of objects with a type (RFC 9396 section 2), or one {file./path/to/it} that holds one")
	}
	return nil
}

// detailsPlace returns the placeholder that stands for the details, if one does.
func (c *Client) detailsPlace() (place string, elsewhere bool) {
	elsewhere = json.Unmarshal(c.AuthorizationDetails, &place) == nil && len(c.AuthorizationDetails) > 0
	return place, elsewhere
}

// Details returns the authorization details to ask for, as compact JSON, "" for none, or if
// r has an error. What is written in the configuration is taken as it is: braces in it are
// JSON's.
func (c *Client) Details(r *placeholder.Resolver) string {
	text := c.AuthorizationDetails
	if place, elsewhere := c.detailsPlace(); elsewhere {
		if text = []byte(r.Value("authorization_details", place)); len(text) == 0 {
			return ""
		}
		if err := checkDetails(text); err != nil {
			r.Err = cmp.Or(r.Err, err)
			return ""
		}
	}
	var compact bytes.Buffer
	_ = json.Compact(&compact, text) // it was checked, or is empty
	return compact.String()
}

// checkDetails returns an error for what no server takes for authorization details (RFC
// 9396 section 2). They are not quoted: they may say what is private.
func checkDetails(text []byte) error {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil || list == nil {
		return errors.New("authorization_details is no JSON array of objects (RFC 9396 section 2)")
	}
	if len(list) == 0 {
		return errors.New("authorization_details is an empty array: name at least one object, or remove it")
	}
	for i, detail := range list {
		var kind string
		if json.Unmarshal(detail["type"], &kind) != nil || kind == "" {
			return fmt.Errorf("authorization_details: object %d has no type, which says what it is about (RFC 9396 section 2)", i+1)
		}
	}
	return nil
}
