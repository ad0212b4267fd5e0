//go:build !linux

package link

import "context"

// watchSystem looks for itself.
func watchSystem(ctx context.Context, signs chan sign) error { return poll(ctx, signs) }
