// Package races tests fob as a whole under concurrency: several processes work on
// the same Authorizations, and a linearizability checker explains what they saw.
package races
