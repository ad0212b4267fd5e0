package chat

import "github.com/skycoin/viscript/node/identity"

func (e *Engine) takeChunk(in *inbox, from identity.PubKey, c *content) error  { return errForeign }
func (e *Engine) giveChunks(in *inbox, from identity.PubKey, c *content) error { return errForeign }
