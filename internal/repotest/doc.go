// Package repotest tests the repository: the template, the Makefile, the imports
// between packages, the documents and the mutants.
package repotest
