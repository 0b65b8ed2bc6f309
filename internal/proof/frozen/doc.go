// Package frozen tests the first requests after a Lambda function was frozen for
// twenty minutes, with dead connections and old caches.
package frozen
