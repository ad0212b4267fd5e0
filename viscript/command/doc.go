// Package command is the language of the console: it splits a typed line into words, finds
// the command in one table, runs it against a host and prints the answer, for people as text
// or for programs as JSON. Help and completion come from the same table.
//
//	words, err := command.Split(line)       // quotes and backslash; case is kept
//	code := table.Run(ctx, env, words, io)  // 0 done, 1 failed, 2 bad usage
//	from, words := table.Complete(ctx, env, "start no")
//
// With JSON a command writes exactly one JSON value, or, when it follows something (-f), one
// per line. Errors are text on the error writer in both forms.
package command
