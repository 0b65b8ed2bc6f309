package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys/rotation"
)

const keyHelp = `Tokens are made and verified under keys, each in one state:

  prepublished  verifies; every instance gets to know it before it is used
  active        new tokens are made under it: there is exactly one
  verify-only   verifies the tokens that were made under it
  retired       its tokens have ended

A key moves down this list and never up. Instances learn of a change within 60
seconds, so only a step that is 90 seconds old can be followed by the next without loss,
and a key can be retired when the last token under it has run out: 90 seconds
and the longest life of a token of any client after it became verify-only.

A key may have a pair of RSA keys, with which JWT access tokens are signed. Then the next
key gets one too, and is prepublished for two hours, five minutes and 90 seconds: API
Gateway keeps public keys for two hours, and a cache before it for five minutes. The
public key of a verify-only key leaves the key set by itself after 30 days and an hour:
no JWT under it can live longer.

  fob key rotate     does all of it, with the waits
  fob key pair       gives the active key a pair
  fob key retire KID --now
                     ends a key that has leaked

The key ring is in two secrets of AWS Secrets Manager, named by --stack or by
--check-secret and --mint-secret, or it is in the file of --keys. Two operators can
work on the secrets at once: the second write is refused, and nothing is lost. The
value before stays in Secrets Manager as AWSPREVIOUS. No command prints a key.`

func keyCommand(p *program) *cobra.Command {
	var r ring
	var longest seconds
	var now, again bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List the keys, and what may be done with each",
		Long: `List the keys with their states, since when they have them, and what may be done
next, and until when a verify-only key's public key is in the key set of JWTs. If a time
was not recorded, that of the last change of the ring is shown: it is never earlier than
the true one.

When a key can be retired depends on the clients, so their table is read if a key
is verify-only.`,
		Example: "  fob key list\n  fob key list --keys keys.json --longest-life 90d --json",
		Args:    noArgs,
		RunE: p.withRing(&r, func(ctx context.Context, v rotation.Vault, _ []string) error {
			return listKeys(ctx, p, v, longest)
		}),
	}
	add := &cobra.Command{
		Use:   "add",
		Short: "Make a new key and prepublish it",
		Long: `Make a new key and prepublish it. Its texts are random, and are shown nowhere. It gets a
pair if the active key has one. After 90 seconds it can be activated, or two hours
and five minutes later with a pair. One key at a time is on its way.

An add that was stopped can be run again: it takes on the key that it began.`,
		Example: "  fob key add",
		Args:    noArgs,
		RunE:    p.withRing(&r, func(ctx context.Context, v rotation.Vault, _ []string) error { return addKey(ctx, p, v) }),
	}
	activate := &cobra.Command{
		Use:   "activate KID",
		Short: "Make new tokens under a prepublished key",
		Long: `Make new tokens under a prepublished key. The active one becomes verify-only in the
same write, so its tokens live on.

It is refused until the key has been prepublished for 90 seconds, or two hours and five
minutes more with a pair: an instance that did not know it yet would refuse the tokens
that others make under it.`,
		Example: "  fob key activate 2",
		Args:    oneArg("the key's id"),
		RunE: p.withRing(&r, func(ctx context.Context, v rotation.Vault, args []string) error {
			return activateKey(ctx, p, v, args[0])
		}),
	}
	retire := &cobra.Command{
		Use:   "retire KID",
		Short: "End a key, and every token under it",
		Long: `End a verify-only key. It is refused as long as a token under it can be active. How
long that is depends on the lifetimes in the table of clients.

With --now it ends a key that has leaked, whatever its state: within 60 seconds
its tokens are inactive everywhere, and their users log in again. If it is the
active one, a new key takes its place in the same write, and one that is prepublished
ends with it. All keys are in one secret: if the secret leaked, end each of
them, the active one last. The command lists the other keys.`,
		Example: "  fob key retire 1\n  fob key retire 2 --now",
		Args:    oneArg("the key's id"),
		RunE: p.withRing(&r, func(ctx context.Context, v rotation.Vault, args []string) error {
			return retireKey(ctx, p, v, args[0], longest, now)
		}),
	}
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Turn the active key, with the waits, and lose no token",
		Long: `Turn the active key: retire verify-only keys whose last token has run out, add a
key, wait until every instance knows it, activate it, and wait until every instance
does. It takes three minutes, or two hours and five minutes more where keys have pairs,
and reports its progress on standard error.

It can be stopped at any point, and run again: it goes on where it stopped. A key
that was activated less than a day ago, by a rotation or in the place of one that
leaked, is not turned once more, unless with --again, so that running it twice is one
rotation. The key that it leaves as verify-only is retired by a later run.`,
		Example: "  fob key rotate",
		Args:    noArgs,
		RunE: p.withRing(&r, func(ctx context.Context, v rotation.Vault, _ []string) error {
			return rotateKeys(ctx, p, v, longest, again)
		}),
	}
	for _, cmd := range []*cobra.Command{list, retire, rotate} {
		cmd.Flags().Var(&longest, "longest-life", "the longest life of a token, such as 90d, where the table of clients cannot be asked")
	}
	retire.Flags().BoolVar(&now, "now", false, "at once, with all of its tokens: the key has leaked")
	rotate.Flags().BoolVar(&again, "again", false, "even if the active key is less than a day old")
	printsJSON(list, ringView{})
	printsJSON(add, keyView{})
	printsJSON(activate, keyView{})
	printsJSON(retire, retiredView{})
	printsJSON(rotate, rotationView{})
	pair := &cobra.Command{
		Use:   "pair",
		Short: "Give the active key a pair, to sign JWT access tokens with",
		Long: `Give the active key a pair of RSA keys of 2048 bits, to sign JWT access tokens with,
and one that is prepublished too. The private halves go into the mint secret and the
public ones into the check secret. If the keys have pairs, nothing changes.

fob client add and set do this by themselves with --token-format jwt, and wait for 90
seconds. This command does not wait, and prints from when on they need not either.
Functions of a release from before JWTs refuse a ring with a pair: deploy first.`,
		Example: "  fob key pair",
		Args:    noArgs,
		RunE:    p.withRing(&r, func(ctx context.Context, v rotation.Vault, _ []string) error { return pairKeys(ctx, p, v) }),
	}
	printsJSON(pair, pairView{})
	cmd := group("key", "List and turn the keys that tokens are made under", keyHelp, list, add, activate, retire, rotate, pair)
	r.addFlags(p, cmd.PersistentFlags())
	return cmd
}

// withRing runs a command on the key ring.
func (p *program) withRing(r *ring, run func(ctx context.Context, v rotation.Vault, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		v, err := r.open(cmd.Context(), p)
		if err != nil {
			return err
		}
		return r.explain(run(cmd.Context(), v, args))
	}
}

// changeRing writes the ring that change makes of the one that is stored.
func changeRing(ctx context.Context, v rotation.Vault, change func(rotation.Document) (rotation.Document, error)) (before, after rotation.Document, err error) {
	if before, err = v.Read(ctx); err != nil {
		return before, before, err
	}
	if after, err = change(before); err == nil {
		after, err = v.Write(ctx, after)
	}
	return before, after, err
}

// keyView is a key as --json shows it. Programs rely on the names.
type keyView struct {
	KID      uint8  `json:"kid"`
	State    string `json:"state" is:"\"prepublished\", \"active\", \"verify-only\" or \"retired\""`
	Since    string `json:"since" is:"time"`
	Next     string `json:"next,omitempty" is:"\"activate\" or \"retire\""`
	NextFrom string `json:"next_from,omitempty" is:"time"` // when that loses nothing
	Signs    bool   `json:"signs,omitempty" is:"true, if it has a pair for JWTs"`
	// PublishedUntil is of a verify-only key that has a pair.
	PublishedUntil string `json:"published_until,omitempty" is:"time"`
}

// ringView is what may be shown of the ring.
type ringView struct {
	IssuerEpoch uint64    `json:"issuer_epoch"`
	Keys        []keyView `json:"keys"`
}

func viewKey(k rotation.Key) keyView {
	v := keyView{KID: k.KID, State: string(k.State), Since: timestamp(k.Since.Unix()), Signs: k.Signs}
	if until := k.PublishedUntil(); !until.IsZero() {
		v.PublishedUntil = timestamp(until.Unix())
	}
	return v
}

// viewNext shows the next step too. longest matters for a verify-only key alone.
func viewNext(k rotation.Key, longest time.Duration) keyView {
	v := viewKey(k)
	if step, from := k.Next(longest); step != rotation.NoStep {
		v.Next, v.NextFrom = string(step), timestamp(from.Unix())
	}
	return v
}

func parseKID(text string) (uint8, error) {
	kid, err := strconv.ParseUint(text, 10, 8)
	if err != nil || kid == 0 {
		return 0, fail(exitUsage, "a key's id is a number from 1 to 255, see fob key list")
	}
	return uint8(kid), nil
}

// longestLife is the longest life of a token: what the operator gave, or the longest
// of all clients.
func longestLife(ctx context.Context, p *program, given seconds) (time.Duration, error) {
	if given > 0 {
		return time.Duration(given) * time.Second, nil
	}
	s, err := p.open(ctx, false)
	if err != nil {
		return 0, withoutClients(err)
	}
	all, err := s.clients.ListClients(ctx)
	if err != nil {
		return 0, withoutClients(p.tables.explain(err))
	}
	return rotation.LongestLife(all), nil
}

// withoutClients adds why the table of clients was read, and how to do without it.
func withoutClients(err error) error {
	if interrupted(err) {
		return err
	}
	return fail(exitCode(err), "when a key can be retired, the clients say: %v; or give --longest-life", err)
}

func listKeys(ctx context.Context, p *program, v rotation.Vault, given seconds) error {
	d, err := v.Read(ctx)
	if err != nil {
		return err
	}
	var longest time.Duration
	for _, k := range d.Keys() {
		if k.State == bearer.VerifyOnly && longest == 0 {
			if longest, err = longestLife(ctx, p, given); err != nil {
				return err
			}
		}
	}
	view := ringView{IssuerEpoch: d.IssuerEpoch(), Keys: []keyView{}}
	rows := [][]string{{"KEY", "STATE", "SINCE", "NEXT"}}
	for _, k := range d.Keys() {
		one := viewNext(k, longest)
		view.Keys = append(view.Keys, one)
		rows = append(rows, []string{strconv.Itoa(int(k.KID)), one.State, one.Since, nextInWords(p, k, longest)})
	}
	return p.print(view, fmt.Sprintf("%s\nThe issuer epoch is %d.", columns(rows...), view.IssuerEpoch))
}

func nextInWords(p *program, k rotation.Key, longest time.Duration) string {
	step, from := k.Next(longest)
	words := fmt.Sprintf("can be %sd now", step)
	switch {
	case step == rotation.NoStep:
		return "-"
	case p.now().Before(from):
		words = fmt.Sprintf("can be %sd from %s", step, timestamp(from.Unix()))
	}
	switch until := k.PublishedUntil(); {
	case until.IsZero():
	case p.now().Before(until):
		words += ", is in the key set until " + timestamp(until.Unix())
	default:
		words += ", left the key set at " + timestamp(until.Unix())
	}
	return words
}

func addKey(ctx context.Context, p *program, v rotation.Vault) error {
	var k rotation.Key
	_, _, err := changeRing(ctx, v, func(d rotation.Document) (_ rotation.Document, err error) {
		d, k, err = d.Add(p.now())
		return d, err
	})
	if err != nil {
		return err
	}
	view := viewNext(k, 0)
	return p.confirmf(view, "Key %d is prepublished. It can be activated from %s on: fob key activate %d.", k.KID, view.NextFrom, k.KID)
}

func activateKey(ctx context.Context, p *program, v rotation.Vault, arg string) error {
	kid, err := parseKID(arg)
	if err != nil {
		return err
	}
	before, after, err := changeRing(ctx, v, func(d rotation.Document) (rotation.Document, error) { return d.Activate(kid, p.now()) })
	if err != nil {
		return err
	}
	return p.confirmf(viewKey(after.Active()), "Key %d is active, and key %d verifies the tokens that were made under it. fob key list says when it can be retired.", kid, before.Active().KID)
}

// retiredView is a key that was retired. Programs rely on the names.
type retiredView struct {
	keyView
	ReplacedBy uint8 `json:"replaced_by,omitempty"` // the key that is active in its place

	// Of --now, because all keys are in one secret.
	AlsoRetired []int `json:"also_retired,omitempty"` // were prepublished
	Beside      []int `json:"beside,omitempty"`       // older ones that still verify
}

func retireKey(ctx context.Context, p *program, v rotation.Vault, arg string, given seconds, now bool) error {
	kid, err := parseKID(arg)
	if err != nil {
		return err
	}
	var replacement rotation.Key
	before, after, err := changeRing(ctx, v, func(d rotation.Document) (_ rotation.Document, err error) {
		if now {
			d, replacement, err = d.RetireNow(kid, p.now())
			return d, err
		}
		var longest time.Duration
		if k, _ := d.Key(kid); k.State == bearer.VerifyOnly {
			if longest, err = longestLife(ctx, p, given); err != nil {
				return d, err
			}
		}
		return d.Retire(kid, p.now(), longest)
	})
	if err != nil {
		return err
	}
	k, _ := after.Key(kid)
	view := retiredView{keyView: viewKey(k), ReplacedBy: replacement.KID}
	if !now {
		return p.confirmf(view, "Key %d is retired. No token under it was left.", kid)
	}
	for _, was := range before.Keys() {
		is, _ := after.Key(was.KID)
		switch {
		case was.KID == kid:
		case was.State == bearer.Prepublished:
			view.AlsoRetired = append(view.AlsoRetired, int(was.KID))
		case is.State == bearer.VerifyOnly, is.State == bearer.Active:
			view.Beside = append(view.Beside, int(was.KID))
		}
	}
	text := fmt.Sprintf("Key %d is retired: within 60 seconds its tokens are inactive everywhere.", kid)
	if replacement.KID != 0 {
		text += fmt.Sprintf("\nKey %d is new, and active in its place.", replacement.KID)
	}
	for _, other := range view.AlsoRetired {
		text += fmt.Sprintf("\nKey %d was prepublished, and is retired too.", other)
	}
	for _, other := range view.Beside {
		text += fmt.Sprintf("\nKey %d is in the same secret: if it leaked too, fob key retire %d --now ends it.", other, other)
	}
	return p.confirm(view, text)
}
