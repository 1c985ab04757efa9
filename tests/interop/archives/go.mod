module archives

go 1.21
