//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestChatPage: a chat with --web says in its status how its page opens, once; tell ID web makes another link; the page needs the cookie.
func TestChatPage(t *testing.T) {
	d := startPeople(t)
	d.one(t, "messenger")
	ben := d.one(t, "chat ben")
	if _, errs, code := d.exec("tell", ben, "web"); code == exitOK || !strings.Contains(errs, "--web") {
		t.Errorf("a chat without a page: %s", errs)
	}
	d.ok(t, "start", "chat", "chat", "cleo", "--messenger", "127.0.0.1:1", "--web", "127.0.0.1:"+freePorts(t, 1)[0])
	cleo := d.one(t, "chat cleo")
	var first string
	eventuallyTrue(t, "the status shows a link", func() (err error) {
		first, err = d.pageLink(cleo)
		if first == "" && err == nil {
			err = io.ErrNoProgress
		}
		return err
	})
	if code, _ := openPage(t, first, ""); code != http.StatusSeeOther {
		t.Errorf("the first link: %d", code)
	}
	link := strings.TrimSpace(d.ok(t, "tell", cleo, "web"))
	code, cookie := openPage(t, link, "")
	if code != http.StatusSeeOther || cookie == "" {
		t.Fatalf("%s: %d %q", link, code, cookie)
	}
	if code, _ := openPage(t, link, ""); code != http.StatusUnauthorized {
		t.Errorf("again: %d", code)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"": http.StatusUnauthorized, cookie: http.StatusOK} {
		if code, _ := openPage(t, "http://"+u.Host+"/api/state", path); code != want {
			t.Errorf("with cookie %q: %d, want %d", path, code, want)
		}
	}
	eventuallyTrue(t, "the status no longer shows a link", func() error {
		link, err := d.pageLink(cleo)
		if link != "" && err == nil {
			err = io.ErrNoProgress
		}
		return err
	})
}

// pageLink is the link in an app's status; "" if there is none.
func (d *demo) pageLink(id string) (link string, err error) {
	apps, err := d.apps()
	for _, a := range apps {
		if _, text, found := strings.Cut(a.Status, "page (opens once): "); found && fmt.Sprint(a.ID) == id {
			link = text
		}
	}
	return link, err
}

// openPage asks for a page by its name, which leads to this machine, and returns the cookie that it sets.
func openPage(t *testing.T, address, cookie string) (status int, set string) {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}}
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	c := http.Client{Transport: tr, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if list := resp.Cookies(); len(list) == 1 {
		set = list[0].Name + "=" + list[0].Value
	}
	return resp.StatusCode, set
}
