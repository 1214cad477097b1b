print("tunneld")
