; Names whose type is evident inside one function: in this language none.
