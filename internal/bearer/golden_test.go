package bearer

// Golden vectors, computed apart from this package by the layout in its
// documentation, from the test keys and goldenName.
const (
	goldenAccess      = "fob_at_AQEAcT-zABAREhMUFRYXGBkaGxwdHh8wMTIzNDU2N1BRUlNUVVZXWFlaW1xdXl8AAAAD_cnvRmPdrt82aVvRLii1v4UBQmRv7Tf7-SUJdgNZ8emig3BieoEVCc_uRItBLtFb"
	goldenAccessHash  = "0e73740b653faa7298a86647f6879990518b14d7c53911d415ee46ccb4214a9d"
	goldenRefresh     = "fob_rt_AQEAcT-zABAREhMUFRYXGBkaGxwdHh8wMTIzNDU2N1BRUlNUVVZXWFlaW1xdXl8AAAADWu85H68eWpjeR4k5NUKNbCL2jTkOruxqRx7PdD9YVPK2pZRf-KLUupwJEC0G1pVN"
	goldenRefreshHash = "0ee92a07bfaf3e2e66b8312565269072599b62d6a821e62154c778f7cb8e84f3"
)
