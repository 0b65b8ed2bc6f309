// Package faults tests fob as a whole against what stores, networks and other
// instances do to it: it runs every flow of the endpoints with a fault at each of
// its calls to the store, and with another instance at work between any two.
package faults
