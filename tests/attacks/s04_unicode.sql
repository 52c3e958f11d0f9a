=== refuse: a column by its character's number
SELECT U&"\0073sn" FROM customers
=== serve: a permitted column by its character's number
SELECT U&"\0069d" FROM customers LIMIT 1
=== refuse: another escape character
SELECT U&"!0073sn" UESCAPE '!' FROM customers
=== serve: another escape character
SELECT U&"!0069d" UESCAPE '!' FROM customers LIMIT 1
=== refuse: six digits
SELECT U&"\+000073sn" FROM customers
=== refuse: a table by its characters' numbers
SELECT payload FROM U&"s\0065cret"
=== serve: a permitted table by its characters' numbers
SELECT id FROM U&"\006Frders" LIMIT 1
=== refuse: a schema by its characters' numbers
SELECT body FROM U&"\0068idden".page
=== refuse: a function by its characters' numbers
SELECT U&"pg_read\005Ffile"('/etc/passwd')
=== refuse: lower case prefix
SELECT u&"\0073sn" FROM customers
=== refuse: the whole name written so
SELECT U&"\0073\0073\006E" FROM U&"\0063\0075\0073\0074omers"
=== refuse: a setting's name in a Unicode string
SELECT set_config(U&'\0072ole', 'shop_owner', false)
=== refuse: a setting's name in a Unicode name
SET U&"\0072ole" TO shop_owner
=== refuse: a sequence in a Unicode string
SELECT nextval(U&'\006Eumbers')
=== serve: a Unicode string
SELECT U&'\006Eumbers'
=== refuse: a string of numbers with a quote inside it ends where it ends
SELECT U&'\0027'; DELETE FROM customers --'
=== serve: a quote by its number does not close
SELECT U&'\0027; DELETE FROM customers --'
=== refuse: a no-break space is part of the name
SELECT ⟦a0⟧id FROM customers
=== refuse: a zero width space is part of the name
SELECT id FROM customers⟦200b⟧
=== refuse: a zero width joiner in a keyword
SEL⟦200d⟧ECT ssn FROM customers
=== refuse: full width letters are other letters
SELECT ｓｓｎ FROM customers
=== serve: full width letters in a string
SELECT 'ｓｓｎ' FROM customers LIMIT 1
=== refuse: a full width semicolon is no semicolon
SELECT 1； DELETE FROM customers
=== refuse: a long s is no s
SELECT ſsn FROM customers
=== refuse: a dotless i is no i
SELECT ıd FROM customers
=== refuse: a capital I with a dot folds to nothing known
SELECT İd FROM customers
=== refuse: the Kelvin sign is no k
SELECT ⟦212a⟧ind FROM customers
=== serve: bare names fold to lower case
SELECT ID FROM CUSTOMERS LIMIT 1
=== refuse: bare hidden names fold to lower case
SELECT SSN FROM CUSTOMERS
=== refuse: a quoted name does not fold
SELECT id FROM "CUSTOMERS"
=== refuse: a table of the same name in another case
SELECT ssn FROM "Customers"
=== refuse: the other table's harmless column
SELECT id FROM "Customers"
=== refuse: a name beyond ASCII
SELECT payload FROM sécret
=== refuse: a name beyond ASCII in quotes
SELECT payload FROM "sécret"
=== refuse: a name beyond ASCII by its number
SELECT payload FROM U&"s\00E9cret"
=== refuse: a name beyond ASCII in capitals is another
SELECT payload FROM SÉCRET
=== refuse: a letter and its accent apart
SELECT payload FROM "se⟦301⟧cret"
=== refuse: the wrong way round
SELECT id FROM customers ⟦202e⟧WHERE ssn IS NOT NULL⟦202c⟧
=== serve: the wrong way round in a comment
SELECT id /* ⟦202e⟧ nss ⟦202c⟧ */ FROM customers LIMIT 1
=== refuse: a byte order mark in front
⟦feff⟧SELECT ssn FROM customers
=== refuse: an ideographic space
SELECT⟦3000⟧ssn FROM customers
=== refuse: an em space before a hidden column
SELECT id,⟦2003⟧ssn FROM customers
=== refuse: a soft hyphen in a name
SELECT s⟦ad⟧sn FROM customers
=== refuse: typographic quotes are letters
SELECT ‘x’; DELETE FROM customers
=== serve: typographic quotes in a string
SELECT '‘x’; DELETE FROM customers'
=== refuse: a modifier apostrophe closes nothing
SELECT 'xʼ'; DELETE FROM customers
=== refuse: a name of 64 bytes is cut in the middle of no character
SELECT ⟦62×a⟧é FROM secret
=== refuse: a schema of combining marks
SELECT body FROM "hidden⟦300⟧".page, hidden.page
=== refuse: a number in other digits
SELECT ssn FROM customers WHERE id = ١
=== serve: a string in other digits
SELECT id FROM orders WHERE status = '١'
=== refuse: the last character of all
SELECT ssn, '⟦10ffff⟧' FROM customers
=== serve: the last character of all in a string
SELECT '⟦10ffff⟧'
=== serve: an update with letters of everywhere
UPDATE orders SET status = 'Ünïcödé ✓ 支払' WHERE id = 5
=== serve: an alias beyond ASCII
SELECT id AS größe FROM customers ORDER BY größe LIMIT 1
=== refuse: an alias beyond ASCII does not hide the column
SELECT ssn AS größe FROM customers ORDER BY größe
