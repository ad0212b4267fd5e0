package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/apps/demopage"
)

func demoPageRole() role {
	var proxy string
	return role{
		name: "demo-page", args: "HOST:PORT",
		short: "a small web page on loopback, to try the mesh on a machine without internet",
		long: `HOST:PORT   a loopback address, such as 127.0.0.1:21080

  GET  /            the page
  GET  /bytes/N     N bytes, the same ones every time      GET  /sha256/N   their SHA-256
  POST /sha256      answers the SHA-256 of what is sent`,
		count: [2]int{1, 1}, instance: firstOf,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&proxy, "proxy", "", "SOCKS5 `HOST:PORT` to name in the line that people can try")
		},
		build: func(ctx context.Context, e roleEnv, args []string) (*service, error) {
			p, err := demopage.New(demopage.Config{Listen: args[0], Log: e.log})
			if err != nil {
				return nil, err
			}
			status := fmt.Sprintf("try: curl http://%s/", p.Addr())
			if proxy != "" {
				status = fmt.Sprintf("try: curl -x socks5h://%s http://%s/", proxy, p.Addr())
			}
			return &service{run: p.Run, status: status}, nil
		},
	}
}
