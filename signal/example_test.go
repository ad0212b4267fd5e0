package signal_test

import (
	"context"
	"fmt"

	"github.com/skycoin/viscript/signal"
)

// A whole program that a signal server can ping, measure, tell commands and stop. Started by
// hand it runs all the same; this one then has nothing to wait for.
func Example() {
	ctx := signal.Attach(context.Background(), signal.Options{
		Name:       "greeter",
		OnShutdown: func(context.Context) error { fmt.Println("saving"); return nil },
		Commands: []signal.Command{{Name: "greet", Args: "NAME", Help: "says hello",
			Run: func(_ context.Context, args []string) (any, error) { return "hello " + fmt.Sprint(args), nil }}},
	})
	client := signal.FromContext(ctx)
	defer client.Wait()
	if client.Err() != nil {
		fmt.Println("running by itself:", client.Err())
		return
	}
	<-ctx.Done()
	// Output: running by itself: signal: not started by a signal server
}

// Registration can wait until the program does what it was started for.
func ExampleClient_Ready() {
	ctx := signal.Attach(context.Background(), signal.Options{Name: "slow", NotReady: true})
	client := signal.FromContext(ctx)
	client.Status("loading")
	// ... load ...
	client.Ready()
	client.Event("loaded", "42 records", map[string]int{"records": 42})
	fmt.Println(ctx.Err())
	// Output: <nil>
}
