"""Medical settlement through an institution's interface to the national insurance platform (国家医保信息平台)."""
