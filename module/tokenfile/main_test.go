package tokenfile_test

import (
	"os"
	"testing"

	"lamplighter/module/moduletest"
)

func TestMain(m *testing.M) { os.Exit(moduletest.Main(m)) }
