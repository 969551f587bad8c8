package module

import (
	"fmt"

	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// lookup returns the client of a name for another module. With settings it
// declares the client in place: once, or again with equal settings.
func (s *set) lookup(name string, inPlace *settings.Client, declaredAt string) (*Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.clients[name]
	if inPlace == nil {
		if known == nil {
			return nil, placeholder.Located(declaredAt, notDeclared(name))
		}
		if known.inPlace {
			return nil, placeholder.Located(declaredAt, fmt.Errorf("client %s is declared in another block (%s) and cannot be referred to from here: make it a global option 'oauth2_client %s { … }'", name, known.declaredAt, name))
		}
		return known, nil
	}
	if known == nil {
		c, err := s.add(name, inPlace)
		if err != nil {
			return nil, err
		}
		c.inPlace = true
		return c, s.connect(c)
	}
	if !known.inPlace {
		return nil, placeholder.Located(inPlace.DeclaredAt, fmt.Errorf("client %s is a global option already%s: refer to it without a block, or choose another name", name, at(known.declaredAt)))
	}
	if !known.declared.Equal(inPlace) {
		return nil, placeholder.Located(inPlace.DeclaredAt, fmt.Errorf("client %s is declared with other settings already%s: make the declarations equal, or declare it once as a global option", name, at(known.declaredAt)))
	}
	return known, nil
}

func notDeclared(name string) error {
	return fmt.Errorf("client %s is not declared: add the global option 'oauth2_client %s { … }', or give the client a block here", name, name)
}

func at(place string) string {
	if place == "" {
		return ""
	}
	return " at " + place
}
