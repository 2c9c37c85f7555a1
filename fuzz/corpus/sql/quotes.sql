SELECT `a``b`, U&'\00e9' FROM t -- comment
;;; SELECT