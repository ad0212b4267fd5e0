package storetest_test

import (
	"testing"

	"github.com/skycoin/viscript/nodemanager/store"
	"github.com/skycoin/viscript/nodemanager/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return storetest.NewMemory() })
}
